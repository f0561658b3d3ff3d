"""A user's own molecules: a CSV, Parquet or SDF file with SMILES or structures, and numeric columns of targets."""

import hashlib
import math
from pathlib import Path

import numpy as np

from ibbench.data.cells import MISSING, Cells, decode, read_cells, read_number
from ibbench.data.classes import read_classes
from ibbench.data.files import read_parquet, read_structures
from ibbench.data.layout import PARTS
from ibbench.data.sources import Fault, Rows, Source, register
from ibbench.data.targets import Target
from ibbench.errors import InputError, suggest
from ibbench.options.words import NATS

_PART_OF = {word: word for word in PARTS} | {"valid": "validation", "val": "validation"}
_READING = 2  # to be raised when the same file is read in another way, since it is then another data set


@register("csv")
class Csv(Source):
    """The file `data.path`, with the columns that the options name; then the rows of `data.test_path`, if given."""

    lacks_labels = True

    def identify(self) -> str:
        """Return `csv:` and a digest of the content of the files and of the options that say how they are read.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        given = self.options
        how: tuple[object, ...] = (
            given.smiles_column,
            given.target_columns,
            given.encoding,
            given.decimal,
            given.smiles_names,
        )
        how = (*how, given.max_atoms, *([given.split_column] if given.split_column else ()))
        how = (*how, *(["classes", given.classes] if given.classes else ()))
        if given.test_path:  # beside the digest of its content, the place where the first file ends
            how = (*how, hashlib.sha256(_content("data.test_path", given.test_path)).hexdigest())
        digest = hashlib.sha256(_content("data.path", given.path) + repr((_READING, *how)).encode())
        return f"{self.name}:{digest.hexdigest()[:16]}"

    def targets(self) -> tuple[Target, ...]:
        """Describe the target columns; one without a unit has an empty one, and a class that of its log loss."""
        units = (self.options.units or {}) | dict.fromkeys(self.options.classes or (), NATS)
        logs = {name for name, way in (self.options.transform or {}).items() if way == "log"}
        return tuple(
            Target(
                name, name, units.get(name, ""), f"column {name} of the CSV", logarithmic=name in logs, log_offset=0.0
            )
            for name in self.options.target_columns or ()
        )

    def location(self) -> str:
        """Return the path of the file, or the paths of both."""
        return " and ".join(filter(None, (self.options.path, self.options.test_path)))

    def smiles_column(self) -> str:
        """Return the name of the column of SMILES."""
        return self.options.smiles_column or ""

    def read(self) -> Rows:
        """Read the columns of SMILES and targets; rows of a test file stand behind the others.

        Raises:
            InputError: a file is not what its name says, has no rows, or lacks a column.
        """
        rows = self._read_file("data.path", self.options.path)
        if not self.options.test_path:
            return rows
        return _join(rows, self._read_file("data.test_path", self.options.test_path), self.options.test_path)

    def _read_file(self, option: str, path: str | None) -> Rows:
        assert path is not None  # the options' own checks make sure of this
        columns = [self.smiles_column(), *(self.options.target_columns or ())]
        dividing = self.options.split_column
        cells = self._read_cells(option, path, [*columns, *([dividing] if dividing else ())])
        faults = [Fault(row, "", ", ".join(found), why) for row, (found, why) in cells.broken.items()]
        smiles = self._read_smiles(cells, faults)
        values = np.empty((len(cells.lines), len(columns) - 1))
        for number, name in enumerate(columns[1:]):
            as_class = name in (self.options.classes or ())
            values[:, number] = self._read_classes(cells, name) if as_class else self._read_numbers(cells, name, faults)
        for row in np.flatnonzero(np.isnan(values).all(1)).tolist():  # a row with a label is used for that
            empty = [name for name in columns[1:] if not cells.columns[name][row].strip()]
            faults += [Fault(row, name, cells.columns[name][row], MISSING) for name in empty if row not in cells.broken]
        lines = np.array(cells.lines, dtype=np.int64)
        parts = self._read_parts(cells, dividing, faults) if dividing else None
        return Rows(np.arange(1, len(lines) + 1), smiles, values, lines=lines, faults=tuple(faults), parts=parts)

    def _read_cells(self, option: str, path: str, names: list[str]) -> Cells:
        """Read columns of the file that an option names, in the way that its name calls for."""
        content = _content(option, path)
        match Path(path).suffix.lower():
            case ".parquet":
                return read_parquet(content, path, names, self.options.decimal)
            case ".sdf":
                return read_structures(content, path, names, self.smiles_column())
            case _:
                return read_cells(decode(content, path, self.options.encoding, option), path, names, option)

    def _read_parts(self, cells: Cells, name: str, faults: list[Fault]) -> np.ndarray:
        """Return the part (train, validation or test) that each cell names, uint8 `[M]`, as an index into `PARTS`."""
        parts = np.zeros(len(cells.lines), dtype=np.uint8)
        for row, text in enumerate(cells.columns[name]):
            word = _PART_OF.get(text.strip().lower())
            if word is None and row not in cells.broken:
                faults.append(Fault(row, name, text, f"expected {', '.join(PARTS)}"))
            parts[row] = PARTS.index(word or PARTS[0])
        return parts

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
        """Return the number in each cell of a column; NaN where a cell is empty, or, with a fault, has no number."""
        point = "." if self.options.decimal == "point" else ","
        numbers = []
        for row, text in enumerate(cells.columns[name]):
            number, why = read_number(text, point)
            if why and why != MISSING and row not in cells.broken:
                faults.append(Fault(row, name, text, why))
            numbers.append(number)
        return numbers

    def _read_classes(self, cells: Cells, name: str) -> list[float]:
        """Return the class in each cell of a column, 0 or 1; NaN where a cell is empty.

        Raises:
            InputError: a cell holds no class, or all hold the same one.
        """
        texts = [text.strip() for text in cells.columns[name]]
        if self.options.decimal == "comma":  # numbers such as 1,0 name classes, too
            texts = [text.replace(",", ".") for text in texts]
        known = [text for row, text in enumerate(texts) if text and row not in cells.broken]
        codes = read_classes(known, f"column `{name}` of {self.location()}")
        return [codes.get(text, math.nan) for text in texts]


def _content(option: str, given: str | None) -> bytes:
    """Return the bytes of the file that an option names."""
    path = Path(given or "")
    try:
        return path.read_bytes()
    except OSError as error:
        kinds = ("*.csv", "*.parquet", "*.sdf")
        near = [file.name for kind in kinds for file in path.parent.glob(kind)] if path.parent.is_dir() else []
        hint = f" In that folder: {suggest(path.name, near)}" if near else ""
        raise InputError(f"`{option}={path}` cannot be read: {error.strerror or error}.{hint}") from None


def _join(rows: Rows, tested: Rows, name: str) -> Rows:
    """Append the rows of a second file, called `name`, which test; those of the first file train or validate."""
    count, more = len(rows.ids), len(tested.ids)
    assert rows.lines is not None
    assert tested.lines is not None
    return Rows(
        ids=np.arange(1, count + more + 1),
        smiles=[*rows.smiles, *tested.smiles],
        values=np.concatenate([rows.values, tested.values]),
        lines=np.concatenate([rows.lines, tested.lines]),
        faults=(*rows.faults, *(fault._replace(row=fault.row + count) for fault in tested.faults)),
        parts=np.repeat(np.array([PARTS.index("train"), PARTS.index("test")], dtype=np.uint8), [count, more]),
        second=(count, name),
    )
