"""table.csv and table.md on disk: numbers written stably, and a mark by which an edit by hand is noticed."""

import io
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ibbench.errors import InputError
from ibbench.files import write_atomically

MARK = "check"  # the last column: a checksum of the rest of the row
KEY = ["model", "variant", "target", "train_size"]
_NEEDED = [*KEY, "unit", "num_seeds", "mae_mean", "mae_std", "split"]
_DIGITS = 4
_MARKDOWN_MARK = re.compile(r"\n<!-- check (\w{8}) -->\n$")


def to_csv(table: pd.DataFrame) -> str:
    """Format a table as CSV: four significant digits for what is measured, all digits for what is counted."""
    cells = table.astype(object).map(_text)
    return str(cells.to_csv(index=False, lineterminator="\n"))


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, precision=_DIGITS, fractional=False, trim="-")
    return str(value)


def to_marked_csv(table: pd.DataFrame) -> str:
    """Format a table as CSV with a checksum at the end of each row."""
    cells = table.astype(object).map(_text)
    marks = [_checksum("\0".join(row)) for row in cells.itertuples(index=False)]
    return str(cells.assign(**{MARK: marks}).to_csv(index=False, lineterminator="\n"))


def to_marked_markdown(text: str) -> str:
    """Put a checksum, invisible when rendered, below a text that ends with a newline."""
    return f"{text}\n<!-- check {_checksum(text)} -->\n"


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def read_table(text: str, name: str) -> pd.DataFrame:
    """Read a table.csv that this or an older version has written.

    Args:
        text: its content.
        name: how messages call it.

    Returns:
        The columns that are there; numbers as float64, what is missing as nan.

    Raises:
        InputError: it is not such a table, or it was edited by hand.
    """
    try:
        cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{name} is not a table that ibbench has written: {error}") from None
    missing = [column for column in _NEEDED if column not in cells.columns]
    if missing:
        raise InputError(f"{name} is not a table that ibbench has written: it lacks {', '.join(missing)}")
    edited = _edited_lines(cells)
    if edited:
        raise InputError(f"{name}, line {edited[0]}: edited by hand. {_REMEDY}")
    repeated = cells.duplicated([*KEY, *(column for column in _SECTION if column in cells.columns)])
    if repeated.any():
        row = cells[repeated].iloc[0]
        named = ", ".join(f"{column}={row[column]}" for column in KEY if row[column])
        raise InputError(f"{name} has two rows with {named}. {_REMEDY}")
    return _numbers(cells, name)


_SECTION = ("split", "hydrogens", "source")
_REMEDY = "`ibbench table` builds it anew from the records, once it is out of the way"
_NUMBERS = ["train_size", "num_seeds", "mae_mean", "mae_std", "mae_low", "mae_high", "parameters"]


def _edited_lines(cells: pd.DataFrame) -> list[int]:
    if MARK not in cells.columns:  # written before there were marks
        return []
    content = cells.drop(columns=MARK).itertuples(index=False)
    # Line 1 is the header.
    return [
        line
        for line, (row, mark) in enumerate(zip(content, cells[MARK], strict=True), 2)
        if _checksum("\0".join(row)) != mark
    ]


def _numbers(cells: pd.DataFrame, name: str) -> pd.DataFrame:
    table = cells.copy()
    for column in _NUMBERS:
        if column not in cells.columns:
            continue
        table[column] = pd.to_numeric(cells[column], errors="coerce").astype(float)
        wrong = (table[column].isna() & (cells[column] != "")) | (table[column] < 0)
        if column in {"train_size", "num_seeds", "mae_mean"}:
            wrong |= ~np.isfinite(table[column])
        if wrong.any():
            line = int(np.flatnonzero(wrong)[0])
            raise InputError(f"{name}, line {line + 2}: `{cells[column].iloc[line]}` is not possible for {column}")
    return table


def refuse_if_edited(study: Path) -> None:
    """Check that the tables of a study, if it has any, are as they were written, so that no one's work is lost.

    Raises:
        InputError: somebody has edited one of them.
    """
    path = study / "table.csv"
    if path.exists():
        read_table(read_text(path), str(path))
    path = study / "table.md"
    if path.exists():
        text = read_text(path)
        mark = _MARKDOWN_MARK.search(text)
        if (mark and _checksum(text[: mark.start()]) != mark[1]) or (not mark and "<!-- check " in text):
            raise InputError(f"{path} was edited by hand. {_REMEDY}")


def read_text(path: Path) -> str:
    """Read a text file, with one kind of line end.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def write_tables(study: Path, tables: dict[str, str]) -> None:
    """Write each text under its name into the folder of a study."""
    for name, text in tables.items():
        write_atomically(study / name, text)
