"""table.csv and table.md on disk: numbers written stably, and a mark by which an edit by hand is noticed."""

import csv
import io
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ibbench.compare.study import Section
from ibbench.errors import InputError
from ibbench.files import write_atomically

MARK = "check"  # the last column: a checksum of the row, the header and the number of rows
KEY = ["model", "variant", "target", "unit", "train_size"]
_NEEDED = [*KEY, "num_seeds", "mae_mean", "mae_std", "split"]
_NUMBERS = ["train_size", "num_seeds", "mae_mean", "mae_std", "mae_low", "mae_high", "parameters"]
_WITH_MARKS = "verdict_vs_best"  # a column of all tables that have marks, and of none that have not
_MARKDOWN_MARK = re.compile(r"\n<!-- check (\w{8}) -->\n$")
_DIGITS = 4
_REMEDY = "Restore or remove it; `ibbench table` builds the tables of a study from its records"


def to_csv(table: pd.DataFrame) -> str:
    """Format a table as CSV: four significant digits for what is measured, all digits for what is counted."""
    cells = table.astype(object).map(_text)
    return str(cells.to_csv(index=False, lineterminator="\n"))


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float):
        value += 0.0  # no "-0"
        return np.format_float_positional(value, precision=_DIGITS, fractional=False, trim="-")
    return str(value)


def to_marked_csv(table: pd.DataFrame) -> str:
    """Format a table as CSV with a mark at the end of each row, by which `read_table` knows it as it was."""
    cells = table.astype(object).map(_text)
    return str(cells.assign(**{MARK: _marks(cells)}).to_csv(index=False, lineterminator="\n"))


def _marks(cells: pd.DataFrame) -> list[str]:
    whole = "\0".join([*cells.columns, str(len(cells))])
    rows = zip(*(cells.iloc[:, place].tolist() for place in range(len(cells.columns))), strict=True)
    return [_checksum("\0".join([whole, *row])) for row in rows]


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
    cells = _cells(text, name)
    missing = [column for column in _NEEDED if column not in cells.columns]
    if missing:
        raise InputError(f"{name} is not a table that ibbench has written: it lacks {', '.join(missing)}")
    _refuse_edited_rows(cells, name)
    repeated = cells.duplicated([*KEY, *(field for field in Section._fields if field in cells.columns)])
    if repeated.any():
        row = cells[repeated].iloc[0]
        named = ", ".join(f"{column}={row[column]}" for column in KEY if row[column])
        raise InputError(f"{name} has two rows with {named}. {_REMEDY}")
    return _numbers(cells, name)


def _cells(text: str, name: str) -> pd.DataFrame:
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{name}, line {line}: {len(row)} cells under {len(header)} columns. {_REMEDY}")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _refuse_edited_rows(cells: pd.DataFrame, name: str) -> None:
    if MARK not in cells.columns:
        if _WITH_MARKS in cells.columns:
            raise InputError(f"{name} was edited by hand: its column `{MARK}` is gone. {_REMEDY}")
        return  # written before there were marks
    marks = _marks(cells.drop(columns=MARK))
    edited = [line for line, (mark, found) in enumerate(zip(marks, cells[MARK], strict=True), 2) if mark != found]
    if edited:
        where = f", line {edited[0]}" if len(edited) < len(cells) else ""
        raise InputError(f"{name}{where}: edited by hand. {_REMEDY}")


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
    table, markdown = study / "table.csv", study / "table.md"
    unmarked = False
    if table.exists():
        unmarked = MARK not in read_table(read_text(table), str(table)).columns
    for path in (study / "pairs.csv", study / "tuning.csv"):
        if path.exists():
            _refuse_edited_rows(_cells(read_text(path), str(path)), str(path))
    if markdown.exists() and not unmarked:
        text = read_text(markdown)
        mark = _MARKDOWN_MARK.search(text)
        if not mark or _checksum(text[: mark.start()]) != mark[1]:
            raise InputError(f"{markdown} was edited by hand. {_REMEDY}")


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
