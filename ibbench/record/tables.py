"""The tables of a study on disk, and the checksums by which an edit by hand is noticed before it is overwritten."""

import csv
import hashlib
import io
import json
import re
import zlib
from pathlib import Path

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.folder import PAIRS, PROVENANCE, TABLE, TABLE_TEXT, TUNING

OLD_MARK = "check"  # until 2026 the last column of tables held a checksum of each row; such tables are still read
REMEDY = "Restore or remove it; `ibbench table` builds the tables of a study from its records"
_SINCE_MARKS = "verdict_vs_best"  # a column of all tables.csv that have had checksums
_OLD_MARK_OF_TEXT = re.compile(r"\n<!-- check (\w{8}) -->\n$")


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
    """Write each text under its name into the folder of a study.

    Raises:
        OSError: one could not be written; those before it are.
    """
    for name, text in tables.items():
        write_atomically(study / name, text)


def checksums_of(tables: dict[str, str]) -> dict[str, str]:
    """Return a checksum for each text, which study.json keeps beside the tables."""
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in tables.items()}


def read_checksums(text: str) -> dict[str, str]:
    """Return the checksums that a study.json holds; none for one of an older version, or one that is broken."""
    try:
        content = json.loads(text)
        return {str(name): str(value) for name, value in content["checksums"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def refuse_edited(text: str, name: str, expected: str | None) -> None:
    """Check that a table is as it was written.

    Args:
        text: the content of the table.
        name: what messages call it.
        expected: the checksum that study.json has for it; None if it has none, as for tables of older versions.

    Raises:
        InputError: somebody has edited it.
    """
    if expected is not None and checksums_of({name: text})[name] != expected:
        raise InputError(f"{name} was edited by hand. {REMEDY}")
    if expected is None and name.endswith(".csv"):
        refuse_edited_rows(read_cells(text, name), name)
    if expected is None and name.endswith(".md"):
        mark = _OLD_MARK_OF_TEXT.search(text)
        if mark and _old_checksum(text[: mark.start()]) != mark[1]:
            raise InputError(f"{name} was edited by hand. {REMEDY}")


def refuse_if_edited(study: Path) -> None:
    """Check that the tables of a study, if it has any, are as they were written, so that no one's work is lost.

    Args:
        study: the folder of the study.

    Raises:
        InputError: somebody has edited one of them, or taken away the study.json that tells.
    """
    made = study / PROVENANCE
    checksums = read_checksums(read_text(made)) if made.exists() else {}
    texts = {name: read_text(study / name) for name in (TABLE, TABLE_TEXT, PAIRS, TUNING) if (study / name).exists()}
    for name, text in texts.items():
        refuse_edited(text, str(study / name), checksums.get(name))
    columns = texts.get(TABLE, "").partition("\n")[0].split(",")
    if TABLE in texts and "mae_mean" not in columns:
        raise InputError(f"{study / TABLE} is not a table of a study: expected a column mae_mean. {REMEDY}")
    if _SINCE_MARKS not in columns:
        return  # written before there were checksums
    for name, text in texts.items():
        if name not in checksums and not _has_old_mark(text, name):
            raise InputError(f"{study / name} was edited by hand, or its checksum in {made} was. {REMEDY}")


def _has_old_mark(text: str, name: str) -> bool:
    if name == TABLE_TEXT:
        return bool(_OLD_MARK_OF_TEXT.search(text))
    return OLD_MARK in text.partition("\n")[0].split(",")


def read_cells(text: str, name: str) -> list[list[str]]:
    """Return the rows of a CSV, the header first.

    Raises:
        InputError: a row has not as many cells as the header.
    """
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{name}, line {line}: {len(row)} cells under {len(header)} columns. {REMEDY}")
    return [header, *rows]


def refuse_edited_rows(cells: list[list[str]], name: str) -> None:
    """Check the rows of a table of an older version, which carry checksums in their last column.

    Raises:
        InputError: a row is not as it was written.
    """
    header, *rows = cells
    if header[-1:] != [OLD_MARK]:
        return
    whole = "\0".join([*header[:-1], str(len(rows))])
    edited = [line for line, row in enumerate(rows, 2) if _old_checksum("\0".join([whole, *row[:-1]])) != row[-1]]
    if edited:
        where = f", line {edited[0]}" if len(edited) < len(rows) else ""
        raise InputError(f"{name}{where}: edited by hand. {REMEDY}")


def _old_checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
