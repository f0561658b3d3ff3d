"""Molecules to predict: a list of SMILES, or a column of a CSV, which is read row by row and may be of any length."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ibbench.data.cells import CellRows, Layout, find_layout
from ibbench.errors import InputError, shorten, suggest

_HEADER = 2**16  # characters at the beginning of a file that surely have its header


class SmilesRow(NamedTuple):
    """One molecule to predict.

    Attributes:
        line: the line of the file where the row begins, counted from 1; 0 if the molecule is not from a file.
        cells: the cells of the row, one per column of the table.
        smiles: the SMILES without white space around it; empty if there is none.
        fault: why the row cannot be read; empty if it can.
    """

    line: int
    cells: list[str]
    smiles: str
    fault: str = ""


class SmilesTable:
    """Molecules to predict, one row each, from a list of SMILES; iterating gives `SmilesRow`s.

    Args:
        smiles: one string per molecule.

    Attributes:
        columns: the names of the columns.
        num_rows: the number of rows.
    """

    def __init__(self, smiles: Sequence[str]) -> None:
        self._smiles = smiles
        self.columns = ["smiles"]
        self.num_rows = len(smiles)

    def __iter__(self) -> Iterator[SmilesRow]:
        return (SmilesRow(0, [text], text.strip()) for text in self._smiles)


class SmilesFile(SmilesTable):
    """Molecules to predict, from the rows of a CSV with all its columns; empty lines do not count as rows.

    Args:
        path: the CSV file.
        column: the column that holds the SMILES.

    Raises:
        InputError: the file cannot be read to its end, is empty, or has no such column.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._layout = Layout(",", 0)
        with self._open() as (rows, header):
            self.columns = header
            self.num_rows = sum(1 for _ in rows)
        if not self.num_rows:
            raise InputError(f"{path} has a header but no rows")

    def __iter__(self) -> Iterator[SmilesRow]:
        with self._open() as (rows, header):
            place, width = header.index(self._column), len(header)
            for cells in rows:
                if len(cells) == width:
                    yield SmilesRow(rows.line, cells, cells[place].strip())
                else:
                    why = f"{len(cells)} cells under {width} columns"
                    yield SmilesRow(rows.line, (cells + [""] * width)[:width], "", why)

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[CellRows, list[str]]]:
        """Open the file, and give the rows below its header, and the header."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                self._layout = find_layout(file.read(_HEADER), [self._column])
                file.seek(0)
                rows = CellRows(file, self._layout, str(self._path))
                header = [name.strip() for name in next(rows, [])]
                self._check_header(header)
                yield rows, header
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise InputError(f"{self._path} is not text in UTF-8: it has the byte 0x{byte:02x}") from None
        except OSError as error:
            near = [file.name for file in self._path.parent.glob("*.csv")] if self._path.parent.is_dir() else []
            hint = f". In that folder: {suggest(self._path.name, near)}" if near else ""
            raise InputError(f"`--input {self._path}` cannot be read: {error.strerror or error}{hint}") from None

    def _check_header(self, header: list[str]) -> None:
        if not header:
            raise InputError(f"{self._path} is empty: expected a header, and below it a row for each molecule")
        count = header.count(self._column)
        if not count:
            known = shorten(", ".join(f"`{name}`" for name in header), 500)
            raise InputError(
                f"{self._path} has no column `{self._column}`: its columns are {known} (between them stands "
                f"{self._layout.shown}). --smiles-column names the one that holds the SMILES"
            )
        if count > 1:
            raise InputError(f"{self._path} has several columns `{self._column}`: expected one")
