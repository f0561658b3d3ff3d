"""Reads the cells of a CSV file exactly as they are written there: no cell is repaired or guessed."""

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from ibbench.errors import InputError, shorten, suggest

MISSING = "the value is missing"  # why an empty cell is no number
_SEPARATORS = (",", ";", "\t", "|")
_NAME_OF_SEPARATOR = {"\t": "a tab"}
_SEPARATOR_LINE = re.compile(r"sep=(.)(\r\n|\r|\n|$)", re.IGNORECASE)  # the first line of some CSV files from Excel
_NUMBER = {
    point: re.compile(rf"[+-]?([0-9]+([{point}][0-9]*)?|[{point}][0-9]+)([eE][+-]?[0-9]+)?") for point in (".", ",")
}


class Cells(NamedTuple):
    """Some columns of a CSV file with R rows below its header; empty lines do not count as rows.

    Attributes:
        columns: the R cells of each column, by the column's name; an empty text where the row is broken.
        lines: the line of the file where each of the R rows begins, counted from 1.
        broken: the rows that do not have as many cells as the header: for the index of each, its cells and what is
            wrong with them.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    broken: dict[int, tuple[list[str], str]]


def decode(content: bytes, path: str, encoding: str | None, option: str = "data.path") -> str:
    """Return the text of a file.

    Args:
        content: the bytes of the file.
        path: the name of the file in messages.
        encoding: the encoding of the file; None for UTF-8. A byte-order mark at the beginning is left out.
        option: the option that names the file, for messages.

    Raises:
        InputError: the bytes are not text in that encoding.
    """
    try:
        return content.decode(encoding or "utf-8").removeprefix("\ufeff")
    except UnicodeError as error:
        where = f": line {_line_of(content, error)}" if isinstance(error, UnicodeDecodeError) else ""
        raise InputError(
            f"`{option}={path}` is not text in {encoding or 'UTF-8'}{where}. Give its encoding, such as "
            f"data.encoding={_likely_encoding(content)}"
        ) from None


def _line_of(content: bytes, error: UnicodeDecodeError) -> str:
    line = 1 + content.count(b"\n", 0, error.start)
    return f"{line} has the byte 0x{content[error.start : error.start + 1].hex()}"


def _likely_encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def read_cells(text: str, path: str, names: Sequence[str], option: str = "data.path") -> Cells:
    """Read some columns of a CSV, whose separator `find_layout` finds.

    Args:
        text: the content of the file.
        path: the name of the file in messages.
        names: the columns to read. White space around the names in the header is ignored.
        option: the option that names the file, for messages.

    Raises:
        InputError: a column is missing or occurs twice, there are no rows, or a quote is misplaced.
    """
    layout = find_layout(text, names)
    # Not `splitlines`: it also cuts at characters that do not end a line of a file.
    rows = CellRows(io.StringIO(text, newline=""), layout, f"`{option}={path}`")
    header = [name.strip() for name in next(rows, [])]
    places = {name: _find_column(name, header, layout, path) for name in names}
    cells = Cells({name: [] for name in names}, [], {})
    for row in rows:
        if len(row) != len(header):
            cells.broken[len(cells.lines)] = row, f"{len(row)} cells under {len(header)} columns"
        for name, place in places.items():
            cells.columns[name].append(row[place] if len(row) == len(header) else "")
        cells.lines.append(rows.line)
    if not cells.lines:
        raise InputError(f"{path} has a header but no rows")
    return cells


class Layout(NamedTuple):
    """How the rows of a file are written: what separates cells, and how many lines stand before the header."""

    separator: str
    skipped: int

    @property
    def shown(self) -> str:
        """The separator as messages show it."""
        return _NAME_OF_SEPARATOR.get(self.separator, f"`{self.separator}`")


def find_layout(text: str, names: Sequence[str]) -> Layout:
    """Find the separator of a CSV: the one that a first line such as `sep=;` names, or else the one that fits best.

    Of comma, semicolon, tab and vertical bar, the best is the one that splits the header into the most of `names`.

    Args:
        text: the content of the file, or its beginning with the whole header.
        names: the columns that are looked for.
    """
    said = _SEPARATOR_LINE.match(text)
    if said:
        return Layout(said[1], 1)

    def count(separator: str) -> int:
        try:
            header = next(CellRows(io.StringIO(text, newline=""), Layout(separator, 0), ""), [])
        except InputError:
            return -1
        return len(set(names) & {name.strip() for name in header})

    return Layout(max(_SEPARATORS, key=count), 0)  # the first of those that fit equally well


class CellRows:
    """The rows of a CSV without the empty ones, each a list of its cells.

    Iterating raises `InputError` at a row that is not valid CSV.

    Args:
        file: the text, opened with `newline=""`, which keeps the ends of its lines as they are.
        layout: the separator of the file, and the number of lines before its header.
        name: the name of the file in messages.

    Attributes:
        line: the line of the file where the latest row begins, counted from 1; 0 before the first row.
    """

    def __init__(self, file: TextIO, layout: Layout, name: str) -> None:
        for _ in range(layout.skipped):
            file.readline()
        # Strict: else `"CC"O` would be read as `CCO`.
        self._reader = csv.reader(file, delimiter=layout.separator, strict=True)
        self._name, self._skipped = name, layout.skipped
        self.line = 0

    def __iter__(self) -> "CellRows":
        return self

    def __next__(self) -> list[str]:
        row: list[str] = []
        while not row:
            self.line = self._skipped + self._reader.line_num + 1
            try:
                row = next(self._reader)
            except csv.Error as error:
                raise InputError(f"{self._name} is no readable CSV: line {self.line}: {_csv_fault(error)}") from None
        return row


def _csv_fault(error: csv.Error) -> str:
    """Say what is wrong with a CSV, in words that a user understands."""
    text = str(error)
    if "unexpected end of data" in text or "field limit" in text:
        return "a quote is opened and not closed"
    return "behind a closing quote there is more text" if "expected after" in text else text


def _find_column(name: str, header: list[str], layout: Layout, path: str) -> int:
    if header.count(name) > 1:
        raise InputError(f"{path} has several columns `{name}`: expected one")
    if name not in header:
        known = shorten(suggest(name, header), 300)
        raise InputError(f"{path} has no column `{name}`: {known} (between its columns stands {layout.shown})")
    return header.index(name)


def read_number(text: str, point: str) -> tuple[float, str]:
    """Read a cell as a number.

    Args:
        text: the cell.
        point: what separates the decimals, `.` or `,`.

    Returns:
        The number, and an empty text; or NaN, and why there is no number.
    """
    text = text.strip()
    if not text:
        return math.nan, MISSING
    if not _NUMBER[point].fullmatch(text):
        other = "," if point == "." else "."
        word = "comma" if other == "," else "point"
        hint = f" (data.decimal={word} takes it for one)" if _NUMBER[other].fullmatch(text) else ""
        return math.nan, f"it is no number{hint}"
    number = float(text.replace(",", "."))
    return (number, "") if math.isfinite(number) else (math.nan, "it is too large")
