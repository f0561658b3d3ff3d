"""The tables of a study on disk, with checksums: a table that was edited by hand is noticed, and not overwritten."""

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.checksum import checksum, read_checksums
from ibbench.record.folder import EVIDENCE, PAIRS, PROVENANCE, RUNS, TABLE, TABLE_TEXT
from ibbench.record.lease import TakenError, hold

OLD_MARK = "check"  # until 2026 the last column of tables had this name and a checksum of each row
REMEDY = "Restore or remove it; `ibbench table` builds the tables of a study from its records"
_WRITE_SECONDS = 150.0  # to wait for another writer; one that was killed on another machine is noticed after 132
_SINCE_MARKS = "verdict_vs_best"  # a column that every table.csv with checksums has
_OLD_MARK_OF_TEXT = re.compile(r"\n<!-- check (\w{8}) -->\n$")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8; any kind of line end becomes a newline.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def write_tables(folder: Path, tables: Mapping[str, str | bytes]) -> None:
    """Write files into a folder.

    Args:
        folder: the folder.
        tables: content of each file, by its name.

    Raises:
        OSError: a file could not be written; those before it were.
    """
    for name, content in tables.items():
        write_atomically(folder / name, content)


def write_checked(study: Path, tables: Mapping[str, str | bytes], made_with: dict[str, Any]) -> None:
    """Write the tables of a study and its evidence, and study.json with their checksums.

    While the tables are written, study.json has the checksums of both the old and the new ones. If a process is killed
    in between, or the disk is full, every table still has a checksum in study.json. A lock lets one process write at a
    time: two commands that fill one study may end at the same moment.

    Args:
        study: the folder of the study.
        tables: the content of each table, and of the evidence, by the name of its file.
        made_with: the rest of study.json.

    Raises:
        OSError: a file could not be written; those before it were.
        TakenError: another process has been writing for minutes.
    """
    with hold(study / RUNS, patience=_WRITE_SECONDS):
        path = study / PROVENANCE
        old = read_checksums(read_text(path)) if path.exists() else {}
        new = {name: checksum(content) for name, content in tables.items()}
        kept = {name: known for name, known in old.items() if name not in new and (study / name).exists()}
        if EVIDENCE not in {*new, *kept} and (study / EVIDENCE).exists():  # came alone: the tables were made from it
            kept[EVIDENCE] = checksum((study / EVIDENCE).read_bytes())
        both = {name: " ".join(dict.fromkeys([now, *old.get(name, "").split()])) for name, now in new.items()}
        if both != new:
            write_atomically(path, _study_json(made_with, kept | both))
        write_tables(study, tables)
        write_atomically(path, _study_json(made_with, kept | new))


def try_to_write(write: Callable[[], object]) -> str:
    """Write results if that is possible, so that a read-only study, or one on a full disk, can still be shown.

    Args:
        write: function that writes the results.

    Returns:
        The reason why they could not be written; empty if they were.
    """
    try:
        write()
    except (OSError, TakenError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _study_json(made_with: dict[str, Any], checksums: dict[str, str]) -> str:
    return json.dumps(made_with | {"checksums": dict(sorted(checksums.items()))}, indent=1, ensure_ascii=False) + "\n"


def refuse_edited(text: str, name: str, expected: str | None) -> None:
    """Check that a table was not edited by hand.

    Args:
        text: content of the table.
        name: name of the table for error messages.
        expected: checksums that study.json has for the table, with blanks between them, one of which must fit; None if
            it has none, as for tables of older versions.

    Raises:
        InputError: somebody has edited the table.
    """
    if expected is not None and checksum(text) not in expected.split() and not _has_old_mark(text, name):
        raise InputError(f"{name} was edited by hand. {REMEDY}")
    if name.endswith(".csv"):
        refuse_edited_rows(read_cells(text, name), name)
    if name.endswith(".md"):
        mark = _OLD_MARK_OF_TEXT.search(text)
        if mark and _old_checksum(text[: mark.start()]) != mark[1]:
            raise InputError(f"{name} was edited by hand. {REMEDY}")


def refuse_if_edited(study: Path) -> None:
    """Check that no table of a study was edited by hand, so that nobody's work is overwritten.

    Args:
        study: the folder of the study.

    Raises:
        InputError: somebody has edited a table, or removed the study.json with its checksum.
    """
    made = study / PROVENANCE
    checksums = read_checksums(read_text(made)) if made.exists() else {}
    texts = {name: read_text(study / name) for name in (TABLE, TABLE_TEXT, PAIRS) if (study / name).exists()}
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
    if name.endswith(TABLE_TEXT):
        return bool(_OLD_MARK_OF_TEXT.search(text))
    return OLD_MARK in text.partition("\n")[0].split(",")


def read_cells(text: str, name: str) -> list[list[str]]:
    """Return the rows of a CSV, the header first.

    Args:
        text: content of the file.
        name: name of the file for error messages.

    Raises:
        InputError: the number of cells of a row is not that of the header.
    """
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{name}, line {line}: {len(row)} cells under {len(header)} columns. {REMEDY}")
    return [header, *rows]


def refuse_edited_rows(cells: list[list[str]], name: str) -> None:
    """Check the rows of a table of an older version, which have checksums in their last column.

    Args:
        cells: rows of the table, the header first.
        name: name of the table for error messages.

    Raises:
        InputError: somebody has edited a row.
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
