"""What sources have in common that read a small, clean table of an installed package."""

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ibbench.data.cells import read_number
from ibbench.data.sources import Fault, Rows, Source


class Table(NamedTuple):
    """The rows of a table: M SMILES and M values as they are written there, and the part of the split of each row.

    `parts` has codes of `PARTS`, uint8 `[M]`; it is None where the table divides nothing.
    """

    smiles: list[str]
    values: list[str]
    parts: np.ndarray | None = None


class Packaged(Source):
    """A table with one target, in files of an installed package."""

    takes = frozenset({"max_atoms", "strict"})

    def identify(self) -> str:
        """Return the name of the data set, with the largest number of atoms that is asked for."""
        most = self.options.max_atoms
        parts = [self.name, *self.chosen(), *([] if most is None else [f"max_atoms={most}"])]
        return ":".join(filter(None, [parts[0], ",".join(parts[1:])]))

    def chosen(self) -> tuple[str, ...]:
        """Return what options choose among several tables; most sources have one."""
        return ()

    @abstractmethod
    def files(self) -> list[Path]:
        """Find the files.

        Raises:
            InputError: the package is not installed, or has no such files.
        """

    @abstractmethod
    def read_table(self) -> Table:
        """Read the files."""

    def read(self) -> Rows:
        """Read all rows of the table.

        Raises:
            InputError: the package is not installed, or its files are not as expected.
        """
        table = self.read_table()
        name, numbers, faults = self.targets()[0].name, [], []
        for row, text in enumerate(table.values):
            number, why = read_number(text, ".")
            numbers.append(self.convert(number))
            if why:
                faults.append(Fault(row, name, text, why))
        ids = np.arange(1, len(numbers) + 1)
        return Rows(ids, table.smiles, np.array(numbers)[:, None], faults=tuple(faults), parts=table.parts)

    def convert(self, value: float) -> float:
        """Return a value of the table in the unit of the target."""
        return value
