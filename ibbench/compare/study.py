"""A study read from its folder: the replicas of all runs, gathered into the rows of its table."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ibbench.baselines import ignored_by
from ibbench.compare.cautions import Basis, read_basis
from ibbench.compare.missing import MissingRun, count_missing, find_missing
from ibbench.compare.order import model_order, target_order, variant_order
from ibbench.compare.rows import Cost, Entry, Flags, Group, Key, Section
from ibbench.compare.statistics import Sample
from ibbench.compare.variants import describe, find_variants, flatten
from ibbench.data.sources import has_cliffs
from ibbench.errors import InputError
from ibbench.record.cliffs import read_cliffs
from ibbench.record.folder import StudyFolder
from ibbench.record.metrics import AtomMetricsEntry
from ibbench.record.predictions import Floats, Predictor, read_errors
from ibbench.record.schema import BrokenError, Record, ReplicaEntry, RungEntry


class Study(NamedTuple):
    """A study: its records, the rows of its table in their stable order, and the runs that are missing in the table.

    `untested` names the finished runs that have no row because they have no test molecules (`data.test_size=0`).
    """

    name: str
    records: list[Record]
    entries: list[Entry]
    missing: tuple[MissingRun, ...] = ()
    untested: tuple[str, ...] = ()

    @property
    def num_runs(self) -> int:
        """The number of all runs, with the missing ones."""
        return len({record.run for record in self.records} | {one.run for one in self.missing})

    @property
    def is_readable(self) -> bool:
        """Whether all files of the study could be read."""
        return all(one.state != "unreadable" for one in self.missing)


class _Replica(NamedTuple):
    entry: ReplicaEntry
    run: str
    cost: Cost
    options: dict[str, Any]
    rests: Basis
    rung: RungEntry | None = None


def read_study(folder: Path | str) -> Study:
    """Read the records of a study, and the predictions where they are kept.

    A run whose record or predictions cannot be read is left out. `Study.missing` lists such runs, and those that failed
    or are not finished.

    Args:
        folder: the folder of the study, such as `results/quick`.

    Raises:
        InputError: there are no records, or two runs have the same config.
    """
    folder = Path(folder)
    study_folder = StudyFolder.at(folder)
    if not (study_folder.run_names() or study_folder.foreign_records()) and (missing := find_missing(folder, [], [])):
        told = count_missing(missing, len(missing))
        raise InputError(f"{folder} has no finished run yet. {told} `ibbench status {folder}` tells how far they are")
    records, broken = study_folder.readable_records()
    while True:  # damaged files are rare, so it does no harm that all others are then read again
        try:
            study = gather(folder.resolve().name, records, folder)
        except BrokenError as error:
            broken.append(error)
            records = [record for record in records if record.run != error.path.parent.name]
        else:
            return study._replace(missing=find_missing(folder, records, broken))


def gather(name: str, records: list[Record], folder: Path | None = None) -> Study:
    """Gather the replicas of finished runs into the rows of a table.

    A replica that was trained in two runs (such as with `seeds=[0]` and with `seeds=[0,1]`) counts once.

    Args:
        name: name of the study.
        records: records of its runs; those of failed runs are ignored.
        folder: folder of the study, to read the errors of single test molecules; None to leave these out.

    Raises:
        BrokenError: the predictions of a run cannot be read.
    """
    finished = [record for record in records if record.status == "done"]
    done = [record for record in finished if record.is_tested]
    found: _Found = {}
    for record, variant in zip(done, find_variants(done), strict=True):
        for key, replica in _replicas(record, variant):
            found.setdefault(key, {}).setdefault(replica.entry.seed, []).append(replica)
    rows = {key: [by_seed[seed][0] for seed in sorted(by_seed)] for key, by_seed in found.items()}
    errors = _read_errors(done, found, folder) if folder else {}
    cliffs = _read_cliffs(done, folder) if folder else {}
    entries = [
        _entry(key, replicas, errors.get(key))._replace(cliffs=cliffs.get(key.group) if key in errors else None)
        for key, replicas in rows.items()
    ]
    untested = tuple(record.run for record in finished if not record.is_tested)
    return Study(name, records, sorted(entries, key=lambda entry: _order(entry.key)), untested=untested)


def refuse_untested(study: Study) -> None:
    """Refuse a study of which no run has test molecules: there is no error that could be compared.

    Raises:
        InputError: all finished runs of the study are such runs.
    """
    if study.untested and not study.entries:
        raise InputError(
            f"{study.name} was trained without test molecules (data.test_size=0): it is for `ibbench predict`, and no "
            "test error of it is known. `ibbench table` tells its validation errors"
        )


_Found = dict[Key, dict[int, list[_Replica]]]  # for each row and seed: the replica, once per run that recorded it


def _read_errors(done: list[Record], found: _Found, folder: Path) -> dict[Key, Floats]:
    """Read predicted minus true values of each row, `[S, M]`; rows of which any are missing are left out.

    The files of all runs are read, also those that no row needs, so that a broken file is noticed. A baseline is
    recorded beside each model: its errors are taken from any file that has them (files of older versions do not).
    """
    wanted: dict[str, list[tuple[Key, int, int]]] = {}
    for key, by_seed in found.items():
        for place, seed in enumerate(sorted(by_seed)):
            for replica in by_seed[seed] if key.is_baseline else by_seed[seed][:1]:
                wanted.setdefault(replica.run, []).append((key, place, seed))
    errors: dict[Key, Floats] = {}
    missing = {key: set(range(len(by_seed))) for key, by_seed in found.items()}
    for record in done:
        rows = [row for row in wanted.get(record.run, []) if row[1] in missing[row[0]]]
        with_baselines = any(key.is_baseline for key, *_ in rows)
        of_run = read_errors(StudyFolder.at(folder).runs / record.run, record, with_baselines)
        for key, place, seed in rows:
            of_one = of_run.get(Predictor(key.group.target, seed, key.model if key.is_baseline else ""))
            if of_one is not None:
                errors.setdefault(key, np.empty((len(found[key]), len(of_one))))[place] = of_one
                missing[key].discard(place)
    return {key: of_row for key, of_row in errors.items() if not missing[key]}


def _read_cliffs(done: list[Record], folder: Path) -> dict[Group, Flags | None]:
    """Read which test molecules of each group lie on activity cliffs; all rows of a group have the same molecules."""
    found: dict[Group, Flags | None] = {}
    for record in done:
        for entry in record.replicas if has_cliffs(record.data_source) else ():
            group = Group(_section(record), entry.target, entry.unit, record.train_size)
            if found.get(group) is None:
                found[group] = read_cliffs(StudyFolder.at(folder).runs / record.run, record, entry.target)
    return found


def _section(record: Record) -> Section:
    return Section(record.data_source, str(record.config["data"]["hydrogens"]), record.split_fingerprint)


def _replicas(record: Record, variant: dict[str, str]) -> Iterable[tuple[Key, _Replica]]:
    assert record.cost is not None  # every run that is done has one
    section = _section(record)
    seconds = record.cost.train_seconds / len(record.replicas)
    cost = Cost(record.cost.parameters, record.cost.flops_per_molecule, seconds)
    options = flatten(record.config)
    basis = {entry.target: read_basis(record, entry.target) for entry in record.replicas}
    for entry in record.replicas:
        group = Group(section, entry.target, entry.unit, record.train_size)
        key = Key(group, record.config["model"]["name"], describe(variant))
        yield key, _Replica(entry, record.run, cost, options, basis[entry.target], record.rung)
    of_data = {key: text for key, text in variant.items() if key.startswith(("data.", "plugins.source"))}
    for baseline in record.baselines:
        ignored, code = ignored_by(baseline.name), f"plugins.baselines.{baseline.name}"
        known = of_data | {key: text for key, text in variant.items() if key == code}  # all that may change it
        seen = describe({key: text for key, text in known.items() if key not in ignored})
        for entry in baseline.replicas:
            group = Group(section, entry.target, entry.unit, record.train_size)
            cost = Cost(baseline.parameters, None, None)
            key = Key(group, baseline.name, seen, is_baseline=True)
            yield key, _Replica(entry, record.run, cost, {}, basis[entry.target])


def _entry(key: Key, replicas: list[_Replica], errors: Floats | None) -> Entry:
    too_low = None
    if errors is not None:
        # Of a class also for baselines: the sign tells the class, even that of an error of 0.
        unsigned = key.is_baseline or isinstance(replicas[0].entry.test, AtomMetricsEntry)
        of_number = None if unsigned else errors < 0
        too_low = np.signbit(errors) if key.group.is_class else of_number
        np.abs(errors, out=errors)
    sample = Sample(
        seeds=tuple(replica.entry.seed for replica in replicas),
        maes=np.array([replica.entry.tested.mae for replica in replicas]),
        errors=errors,
    )
    seconds = [replica.cost.train_seconds for replica in replicas if replica.cost.train_seconds is not None]
    cost = replicas[0].cost._replace(train_seconds=sum(seconds) if seconds else None)
    first = replicas[0]
    entries = tuple(replica.entry for replica in replicas)
    return Entry(key, entries, sample, cost, first.options, first.rung, first.rests, too_low)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _order(key: Key) -> tuple[Any, ...]:
    group = key.group
    return (
        group.section,
        *target_order(group.target),
        group.unit,
        group.train_size,
        *model_order(key.model),
        *variant_order(key.variant),
    )
