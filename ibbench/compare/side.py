"""One side of a diff: a study, a table.csv, or either as a revision of a git repository has it."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ibbench.baselines import is_baseline
from ibbench.compare.cautions import Basis
from ibbench.compare.missing import MissingRun, count_missing
from ibbench.compare.provenance import ANY, Provenance, Row, provenance, read_provenance
from ibbench.compare.rows import Section
from ibbench.compare.statistics import Sample, Spread
from ibbench.compare.study import Study, read_study, refuse_untested
from ibbench.compare.table_file import read_table
from ibbench.errors import InputError
from ibbench.record.checksum import read_checksums
from ibbench.record.folder import EVIDENCE, PROVENANCE, TABLE, StudyFolder
from ibbench.record.tables import read_text


class Place(NamedTuple):
    """The columns that tell a row from others. `hydrogens` and `source` are empty for tables without these columns."""

    model: str
    variant: str
    target: str
    unit: str
    train_size: int
    source: str
    hydrogens: str
    split: str


class SideRow(NamedTuple):
    """A row of one side.

    Attributes:
        place: model, target, train size and so on.
        mae: test MAE averaged over seeds, in the target's unit.
        mae_std: sample standard deviation of the MAE over seeds, in the target's unit; None with one seed.
        num_seeds: number of seeds.
        sample: test errors of each seed; None for a table of an older version, which has means only.
        options: flat config; None where it is unknown, as for a baseline.
        rounded: whether the figures come from a table of an older version, which has four digits.
        basis: sizes of the train and test sets behind the figures.
        is_baseline: whether the row is one of a baseline; a row of a table is recognised by its name alone.
    """

    place: Place
    mae: float
    mae_std: float | None
    num_seeds: int
    sample: Sample | None
    options: dict[str, Any] | None
    rounded: bool
    basis: Basis
    is_baseline: bool = False


class Side(NamedTuple):
    """One side of a diff: its rows, and how they were made.

    Attributes:
        name: text that the user gave for this side, such as `results/quick` or `main:results/quick`.
        rows: rows in the order of the table.
        provenance: options, versions and devices of the runs; None for a table without its study.json.
        missing: runs that the side lacks, as far as they are known.
    """

    name: str
    rows: list[SideRow]
    provenance: Provenance | None
    missing: tuple[MissingRun, ...] = ()


def read_side(given: str) -> Side:
    """Read a study folder, a table.csv, or `REVISION:path` of the repository around the current folder.

    Args:
        given: text that the user gave.

    Raises:
        InputError: `given` names none of these, or it cannot be read, or it has no finished run.
    """
    path = Path(given)
    if path.is_dir():
        if StudyFolder.at(path).has_records() or not (path / TABLE).exists():
            return of_study(given, read_study(path))
        path /= TABLE
    if path.is_file():
        beside = path.with_name(PROVENANCE)
        made_with = read_text(beside) if beside.exists() else None
        return _of_table(given, path.name, read_text(path), made_with)
    revision, colon, inside = given.partition(":")
    if not colon or not revision or not inside:
        raise InputError(
            f"there is no `{given}`: expected a study folder, a table.csv or REVISION:path, as in main:{given}"
        )
    return _of_revision(given, revision, inside)


def of_study(name: str, study: Study) -> Side:
    """Turn a study into a side of a diff.

    Args:
        name: name of the side.
        study: a study as read.

    Raises:
        InputError: the study has no finished run.
    """
    refuse_untested(study)
    rows = []
    for entry in study.entries:
        group, sample = entry.key.group, entry.sample
        place = Place(
            entry.key.model, entry.key.variant, group.target, group.unit, group.train_size, *group.section
        )  # fmt: skip
        figures = sample.mae, sample.mae_std, len(sample.seeds)
        rows.append(SideRow(place, *figures, sample, None, False, entry.basis, entry.key.is_baseline))
    return _with_options(name, rows, provenance(study), study.missing)


def _of_table(name: str, file: str, text: str, made_with: str | None) -> Side:
    table = read_table(text, name, read_checksums(made_with or "").get(file))
    rows = [_table_row(row) for _, row in table.iterrows()]
    return _with_options(
        name, rows, read_provenance(made_with, f"study.json of {name}") if made_with is not None else None
    )


def _table_row(row: "pd.Series[Any]") -> SideRow:
    place = Place(
        row["model"], row["variant"], row["target"], row["unit"], int(row["train_size"]),
        row.get("source", ""), row.get("hydrogens", ""), row["split"],
    )  # fmt: skip
    size, share, num_test = place.train_size, _known(row, "train_share"), _known(row, "num_test_molecules")
    basis = Basis(size, round(size / share) if share else None, None if num_test is None else int(num_test))
    if "seed_maes" not in row or "seeds" not in row:  # a table of an older version
        std = _known(row, "mae_std")
        return SideRow(place, float(row["mae_mean"]), std, int(row["num_seeds"]), None, None, True, basis)
    variance = _known(row, "molecule_variance")
    stated = Spread(variance, basis.num_test) if variance is not None and basis.num_test else None
    sample = Sample(tuple(row["seeds"]), np.array(row["seed_maes"]), None, stated)
    return SideRow(place, sample.mae, sample.mae_std, len(sample.seeds), sample, None, False, basis)


def _known(row: "pd.Series[Any]", column: str) -> float | None:
    """Return a figure of a table; None if the cell is empty, or if an older version wrote no such column."""
    value = row.get(column)
    return float(value) if pd.notna(value) else None


def _with_options(
    name: str, rows: list[SideRow], made_with: Provenance | None, missing: tuple[MissingRun, ...] = ()
) -> Side:
    if not rows:
        damaged = [one.tell() for one in missing if one.path]
        told = " ".join(filter(None, [count_missing(missing), *damaged]))
        raise InputError(f"{name} has no finished run to compare. {told}".strip())
    if made_with and not missing:  # from a table and its study.json
        missing = tuple(
            MissingRun(one.run, one.state, "", targets=one.targets, train_size=one.train_size)
            for one in made_with.missing
        )
    known = made_with.row_options() if made_with else {}
    described = [
        row._replace(
            options=_options_of(row.place, known),
            is_baseline=row.is_baseline or is_baseline(row.place.model),
        )
        for row in rows
    ]
    return Side(name, described, made_with, missing)


def _options_of(place: Place, known: dict[Row, dict[str, Any]]) -> dict[str, Any] | None:
    section = Section(place.source, place.hydrogens, place.split)
    row = Row(place.model, place.variant, place.train_size, section)
    return known.get(row, known.get(row._replace(section=ANY)))


def _of_revision(name: str, revision: str, inside: str) -> Side:
    folder = inside.rstrip("/")
    if not folder.endswith(".csv") and (evidence := _file_at(revision, f"{folder}/{EVIDENCE}")):
        return of_study(
            name, _study_of(name, {EVIDENCE: evidence, PROVENANCE: _file_at(revision, f"{folder}/{PROVENANCE}")})
        )
    table = _file_at(revision, folder) if folder.endswith(".csv") else _file_at(revision, f"{folder}/{TABLE}")
    if table is None:
        raise InputError(f"revision {revision} has no {folder}/{TABLE} (nor a table {folder})")
    parent = folder.rpartition("/")[0] if folder.endswith(".csv") else folder
    file = folder.rpartition("/")[2] if folder.endswith(".csv") else TABLE
    made_with = _file_at(revision, f"{parent}/{PROVENANCE}" if parent else PROVENANCE)
    return _of_table(name, file, _text(table), None if made_with is None else _text(made_with))


def _study_of(name: str, files: dict[str, bytes | None]) -> Study:
    """Read a study from the contents of some of its files, by their names in the study's folder."""
    with TemporaryDirectory() as place:
        for file, content in files.items():
            if content is not None:
                (Path(place) / file).write_bytes(content)
        try:
            return read_study(place)
        except InputError as error:
            raise InputError(str(error).replace(place, name)) from None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\r\n", "\n")


def _file_at(revision: str, path: str) -> bytes | None:
    """Return the content of a file at a revision of the git repository; None if there is no such file.

    The path is looked up from the current folder first, then from the root of the repository.
    """
    _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", problem=f"`{revision}` is not a revision here")
    for inside in (f"./{path}", path):
        shown = _git("show", f"{revision}:{inside}")
        if shown is not None:
            return shown
    return None


def _git(*arguments: str, problem: str | None = None) -> bytes | None:
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"git cannot be run, and REVISION:path needs it: {error}") from None
    if run.returncode == 0:
        return run.stdout
    if problem:
        raise InputError(problem + (f": {run.stderr.decode(errors='replace').strip()}" if run.stderr else ""))
    return None
