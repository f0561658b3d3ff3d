"""A user's own molecules: a CSV, Parquet or SDF file with SMILES or structures, and numeric columns of targets."""

import hashlib
from pathlib import Path

import numpy as np

from ibbench.data.cells import Cells, decode, read_cells, read_number
from ibbench.data.files import read_parquet, read_structures
from ibbench.data.layout import PARTS
from ibbench.data.sources import Fault, Rows, Source, register
from ibbench.data.targets import Target
from ibbench.errors import InputError, suggest

_PART_OF = {word: word for word in PARTS} | {"valid": "validation", "val": "validation"}
_READING = 2  # to be raised when the same file is read in another way, since it is then another data set


@register("csv")
class Csv(Source):
    """The file `data.path`, with the columns that the options name."""

    def identify(self) -> str:
        """Return `csv:` and a digest of the content of the file and of the options that say how it is read.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        given = self.options
        how = (given.smiles_column, given.target_columns, given.encoding, given.decimal, given.smiles_names)
        how = (*how, given.max_atoms, *([given.split_column] if given.split_column else ()))
        digest = hashlib.sha256(self._content() + repr((_READING, *how)).encode())
        return f"{self.name}:{digest.hexdigest()[:16]}"

    def targets(self) -> tuple[Target, ...]:
        """Describe the target columns; a column without a unit in the config has an empty one."""
        units = self.options.units or {}
        return tuple(
            Target(name, name, units.get(name, ""), f"column {name} of the CSV")
            for name in self.options.target_columns or ()
        )

    def location(self) -> str:
        """Return the path of the file."""
        return self.options.path or ""

    def smiles_column(self) -> str:
        """Return the name of the column of SMILES."""
        return self.options.smiles_column or ""

    def read(self) -> Rows:
        """Read the columns of SMILES and targets.

        Raises:
            InputError: the file is not what its name says, has no rows, or lacks a column.
        """
        columns = [self.smiles_column(), *(self.options.target_columns or ())]
        dividing = self.options.split_column
        cells = self._read_cells([*columns, *([dividing] if dividing else ())])
        faults = [Fault(row, "", ", ".join(found), why) for row, (found, why) in cells.broken.items()]
        smiles = self._read_smiles(cells, faults)
        values = np.empty((len(cells.lines), len(columns) - 1))
        for number, name in enumerate(columns[1:]):
            values[:, number] = self._read_numbers(cells, name, faults)
        lines = np.array(cells.lines, dtype=np.int64)
        parts = self._read_parts(cells, dividing, faults) if dividing else None
        return Rows(np.arange(1, len(lines) + 1), smiles, values, lines=lines, faults=tuple(faults), parts=parts)

    def _read_cells(self, names: list[str]) -> Cells:
        """Read columns of the file, in the way that its name calls for."""
        content, path = self._content(), self.location()
        match Path(path).suffix.lower():
            case ".parquet":
                return read_parquet(content, path, names, self.options.decimal)
            case ".sdf":
                return read_structures(content, path, names, self.smiles_column())
            case _:
                return read_cells(decode(content, path, self.options.encoding), path, names)

    def _read_parts(self, cells: Cells, name: str, faults: list[Fault]) -> np.ndarray:
        """Return the part (train, validation or test) that each cell names, uint8 `[M]`, as an index into `PARTS`."""
        parts = np.zeros(len(cells.lines), dtype=np.uint8)
        for row, text in enumerate(cells.columns[name]):
            word = _PART_OF.get(text.strip().lower())
            if word is None and row not in cells.broken:
                faults.append(Fault(row, name, text, f"expected {', '.join(PARTS)}"))
            parts[row] = PARTS.index(word or PARTS[0])
        return parts

    def _content(self) -> bytes:
        path = Path(self.location())
        try:
            return path.read_bytes()
        except OSError as error:
            kinds = ("*.csv", "*.parquet", "*.sdf")
            near = [file.name for kind in kinds for file in path.parent.glob(kind)] if path.parent.is_dir() else []
            hint = f" In that folder: {suggest(path.name, near)}" if near else ""
            raise InputError(f"`data.path={path}` cannot be read: {error.strerror or error}.{hint}") from None

    def _read_smiles(self, cells: Cells, faults: list[Fault]) -> list[str]:
        """Return the SMILES of each cell without white space around it; an empty text, and a fault, for two or more."""
        name = self.smiles_column()
        smiles = []
        for row, text in enumerate(cells.columns[name]):
            words = text.split(maxsplit=1)
            if len(words) > 1 and not self.options.smiles_names:
                why = "white space inside: expected one SMILES (data.smiles_names=true cuts at the first blank)"
                faults.append(Fault(row, name, text, why))
                words = []
            smiles.append(words[0] if words else "")
        return smiles

    def _read_numbers(self, cells: Cells, name: str, faults: list[Fault]) -> list[float]:
        """Return the number in each cell of a column; NaN, and a fault, where a cell has no number."""
        point = "." if self.options.decimal == "point" else ","
        numbers = []
        for row, text in enumerate(cells.columns[name]):
            number, why = read_number(text, point)
            if why and row not in cells.broken:
                faults.append(Fault(row, name, text, why))
            numbers.append(number)
        return numbers
