"""The cells of a text file of rows and columns, as they stand there: nothing is repaired, and nothing guessed."""

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from ibbench.errors import InputError, shorten, suggest

_SEPARATORS = (",", ";", "\t", "|")
_NAME_OF_SEPARATOR = {"\t": "a tab"}
_SAYS_SEPARATOR = re.compile(r"sep=(.)(\r\n|\r|\n|$)", re.IGNORECASE)  # the first line of some files of Excel
_NUMBER = {
    point: re.compile(rf"[+-]?([0-9]+([{point}][0-9]*)?|[{point}][0-9]+)([eE][+-]?[0-9]+)?") for point in (".", ",")
}


class Cells(NamedTuple):
    """The cells of some columns of a file with R rows under its header; empty lines are no rows.

    Attributes:
        columns: for each column its R cells; empty where the row is broken.
        lines: for each row the line of the file where it begins, counted from 1.
        broken: for each row that has not as many cells as the header, by its index, its cells and what is wrong.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    broken: dict[int, tuple[list[str], str]]


def decode(content: bytes, path: str, encoding: str | None) -> str:
    """Return the text of a file.

    Args:
        content: its bytes.
        path: what messages call it.
        encoding: its encoding; None for UTF-8. A byte-order mark is taken off.

    Raises:
        InputError: it has another encoding.
    """
    try:
        return content.decode(encoding or "utf-8").removeprefix("\ufeff")
    except UnicodeError as error:
        where = f": line {_line_of(content, error)}" if isinstance(error, UnicodeDecodeError) else ""
        raise InputError(
            f"`data.path={path}` is not text in {encoding or 'UTF-8'}{where}. Give its encoding, such as "
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


def read_cells(text: str, path: str, names: Sequence[str]) -> Cells:
    """Read columns of a CSV. Its cells are separated by what its first line says, `sep=;`, or by that of comma,
    semicolon, tab and vertical bar which gives all the columns.

    Args:
        text: the content of the file.
        path: what messages call it.
        names: the columns to read. White space around names does not count.

    Raises:
        InputError: a column is missing, or is there twice, there are no rows, or a quote is where none can be.
    """
    layout = find_layout(text, names)
    # Not `splitlines`, which also cuts at characters that end no line of a file.
    rows = CellRows(io.StringIO(text, newline=""), layout, f"`data.path={path}`")
    header = [name.strip() for name in next(rows, [])]
    places = {name: _find(name, header, layout, path) for name in names}
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
        """What separates cells, as messages name it."""
        return _NAME_OF_SEPARATOR.get(self.separator, f"`{self.separator}`")


def find_layout(text: str, names: Sequence[str]) -> Layout:
    """Find how a file is written: as its first line says, `sep=;`, or as gives most of the columns.

    Args:
        text: the content of the file, or its beginning with the whole header.
        names: the columns that are looked for.
    """
    said = _SAYS_SEPARATOR.match(text)
    if said:
        return Layout(said[1], 1)

    def count(separator: str) -> int:
        try:
            header = next(CellRows(io.StringIO(text, newline=""), Layout(separator, 0), ""), [])
        except InputError:
            return -1
        return len(set(names) & {name.strip() for name in header})

    return Layout(max(_SEPARATORS, key=count), 0)  # of equal ones that which comes first


class CellRows:
    """The rows of a CSV without the empty ones, each with the line where it begins.

    Args:
        file: the text, with the ends of its lines as they are (`newline=""`).
        layout: how it is written.
        name: what messages call it.
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
                raise InputError(f"{self._name} is no readable CSV: line {self.line}: {_say(error)}") from None
        return row


def _say(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "field limit" in text:
        return "a quote is opened and not closed"
    return "behind a closing quote there is more text" if "expected after" in text else text


def _find(name: str, header: list[str], layout: Layout, path: str) -> int:
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
        return math.nan, "the value is missing"
    if not _NUMBER[point].fullmatch(text):
        other = "," if point == "." else "."
        word = "comma" if other == "," else "point"
        hint = f" (data.decimal={word} takes it for one)" if _NUMBER[other].fullmatch(text) else ""
        return math.nan, f"it is no number{hint}"
    number = float(text.replace(",", "."))
    return (number, "") if math.isfinite(number) else (math.nan, "it is too large")
