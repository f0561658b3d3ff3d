"""table.csv as text: written with all digits, and read again."""

from typing import Any

import numpy as np
import pandas as pd

from ibbench.compare.rows import Section
from ibbench.errors import InputError
from ibbench.record.tables import REMEDY, read_cells, refuse_edited, refuse_edited_rows

KEY = ["model", "variant", "target", "unit", "train_size"]
_NEEDED = [*KEY, "num_seeds", "mae_mean", "mae_std", "split"]
_NUMBERS = [
    "train_size", "num_seeds", "mae_mean", "mae_std", "mae_low", "mae_high", "parameters",
    "train_share", "num_test_molecules", "molecule_variance",
]  # fmt: skip


def to_csv(table: pd.DataFrame) -> str:
    """Format a table as CSV with all digits, so that reading it gives the same numbers."""
    cells = table.astype(object).map(_text)
    return str(cells.to_csv(index=False, lineterminator="\n"))


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float):
        return repr(float(value) + 0.0).removesuffix(".0")  # + 0.0: no "-0"
    return str(value)


def read_table(text: str, name: str, checksum: str | None = None) -> pd.DataFrame:
    """Read a table.csv that this or an older version has written.

    Args:
        text: content of the file.
        name: name of the file for error messages.
        checksum: checksum that study.json has for the file; None if it has none.

    Returns:
        The columns that the file has; numbers as float64, empty cells of numbers as NaN.

    Raises:
        InputError: the text is not such a table, or it was edited by hand.
    """
    header, *rows = read_cells(text, name)
    cells = pd.DataFrame(rows, columns=header, dtype=str)
    missing = [column for column in _NEEDED if column not in cells.columns]
    if missing:
        raise InputError(f"{name} is not a table that ibbench has written: it lacks {', '.join(missing)}")
    refuse_edited_rows([header, *rows], name)
    refuse_edited(text, name, checksum)
    repeated = cells.duplicated([*KEY, *(field for field in Section._fields if field in cells.columns)])
    if repeated.any():
        row = cells[repeated].iloc[0]
        named = ", ".join(f"{column}={row[column]}" for column in KEY if row[column])
        raise InputError(f"{name} has two rows with {named}. {REMEDY}")
    return _seeds(_numbers(cells, name), name)


def _seeds(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Turn the seeds of each row and their MAEs into tuples of numbers; tables of older versions have none."""
    if not {"seeds", "seed_maes"} <= set(table.columns):
        return table
    for column, kind in (("seeds", int), ("seed_maes", float)):
        found: list[tuple[float, ...]] = []
        for line, (cell, num_seeds) in enumerate(zip(table[column], table["num_seeds"], strict=True), 2):
            try:
                values = tuple(map(kind, cell.split()))
            except ValueError:
                values = ()
            if len(values) != num_seeds or not all(0 <= value < np.inf for value in values):
                raise InputError(f"{name}, line {line}: `{cell}` is not possible for {column}")
            found.append(values)
        table[column] = pd.Series(found, index=table.index, dtype=object)
    return table


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
