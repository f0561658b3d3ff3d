"""Properties of organic molecules from the package `chemicals`: what its sources share.

The package has tables of values by CAS number, and a table of structures. A row is left out, and counted, if

- the package has no structure for its CAS number;
- its structure has several parts: a salt, a solvate or a mixture, whose value is not that of one molecule;
- it has no carbon atom: elements, and inorganic substances that melt and boil as crystals;
- its value is outside of `bounds`, which are wide: what lies there is a mistake of the table.
"""

import functools
import re
from typing import ClassVar

import numpy as np

from ibbench.data.installed import find_file, read_columns
from ibbench.data.sources import Fault, Rows, Source

_INSTALL = "pip install 'ibbench[data]'"
_STRUCTURES = tuple(
    f"Identifiers/chemical identifiers {part}.tsv" for part in ("pubchem small", "example user db", "pubchem large")
)
_CAS, _FORMULA, _SMILES = 1, 2, 4  # columns of a table of structures, which has no header
_CARBON = re.compile(r"C(?![a-z])")


class Measured(Source):
    """A table of one value per CAS number.

    Attributes:
        table: the path of the table within the package.
        separator: what stands between its cells.
        column: the column of the values.
        scale: what one unit of that column is in the unit of the target.
        bounds: the least and the largest value that is believed, in the unit of the target.
    """

    packages = ("chemicals",)
    takes = frozenset({"max_atoms", "strict"})
    table: ClassVar[str]
    separator: ClassVar[str] = "\t"
    column: ClassVar[str]
    scale: ClassVar[float] = 1.0
    bounds: ClassVar[tuple[float, float]]

    def identify(self) -> str:
        """Return the name, with the largest number of atoms that is asked for."""
        most = self.options.max_atoms
        return self.name if most is None else f"{self.name}:max_atoms={most}"

    def location(self) -> str:
        """Return the name of the table in messages."""
        return f"{self.table.rpartition('/')[2]} of the package chemicals"

    def read(self) -> Rows:
        """Read all rows of the table.

        Raises:
            InputError: the package is not installed, or has no such table.
        """
        cells = read_columns(find_file("chemicals", self.table, _INSTALL), self.separator, ["CAS", self.column])
        structures = _read_structures()
        values = np.array([float(text or "nan") * self.scale for text in cells[self.column]])
        smiles, faults = [], []
        for row, (cas, value) in enumerate(zip(cells["CAS"], values.tolist(), strict=True)):
            formula, text = structures.get(cas, ("", ""))
            smiles.append(text)
            if not text:
                faults.append(Fault(row, "CAS", cas, "the package has no structure for this CAS number"))
            elif "." in text:
                faults.append(Fault(row, "SMILES", text, "it has several parts: a salt, a solvate or a mixture"))
            elif not _CARBON.search(formula):
                faults.append(Fault(row, "SMILES", text, "it has no carbon atom"))
            elif not self.bounds[0] <= value <= self.bounds[1]:
                faults.append(Fault(row, self.column, f"{value:.6g}", f"it is {self._outside()}"))
        ids = np.array([int(cas.replace("-", "")) for cas in cells["CAS"]])
        lines = np.arange(2, len(ids) + 2)
        return Rows(ids, smiles, values[:, None], lines=lines, faults=tuple(faults))

    def _outside(self) -> str:
        low, high = self.bounds
        return f"not between {low:g} and {high:g} {self.targets()[0].unit}".rstrip()


@functools.cache
def _read_structures() -> dict[str, tuple[str, str]]:
    """Return the formula and the SMILES of each CAS number that the package has a structure for."""
    found: dict[str, tuple[str, str]] = {}
    for name in _STRUCTURES:
        with find_file("chemicals", name, _INSTALL).open(encoding="utf-8") as file:
            for line in file:
                cells = line.rstrip("\n").split("\t")
                found.setdefault(cells[_CAS], (cells[_FORMULA], cells[_SMILES]))
    return found
