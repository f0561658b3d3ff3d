"""A study read from its folder: the replicas of all runs, gathered by what they are to be compared as."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ibbench.baselines import baseline_names, ignored_by
from ibbench.compare.cautions import Basis, read_basis
from ibbench.compare.search import Search, find_searches
from ibbench.compare.statistics import Sample
from ibbench.data.sources import find_target
from ibbench.data.targets import QM9_TARGETS
from ibbench.models import model_names
from ibbench.options.trial import TUNED
from ibbench.record.folder import StudyFolder
from ibbench.record.predictions import Floats, Predictor, read_errors
from ibbench.record.schema import Record, ReplicaEntry, RungEntry

# Options that keys name anyway; `seeds` are what is averaged over.
_NOT_VARIANTS = {"targets", "seeds", "model.name", "data.train_size", "data.source", "data.hydrogens"}


class Section(NamedTuple):
    """What two errors must share to be compared at all: the molecules, what is seen of them, and the division."""

    source: str
    hydrogens: str
    split: str


class Group(NamedTuple):
    """Models are compared within a group."""

    section: Section
    target: str
    unit: str
    train_size: int

    @property
    def chemical_accuracy(self) -> float | None:
        """Of the target, in its unit; None where the source names none."""
        target = find_target(self.section.source, self.target)
        return target.chemical_accuracy if target and target.unit == self.unit else None


class Key(NamedTuple):
    """One row of a table. `variant` names the options in which runs of this model differ within the study."""

    group: Group
    model: str
    variant: str
    is_baseline: bool = False

    @property
    def name(self) -> str:
        """The model, with its variant if it has one."""
        return in_full(self.model, self.variant)


def in_full(model: str, variant: str) -> str:
    """Name a model with its variant, if it has one."""
    return f"{model} ({variant})" if variant else model


class Cost(NamedTuple):
    """What a row cost; FLOPs and seconds are None for a baseline."""

    parameters: int
    flops_per_molecule: int | None
    train_seconds: float | None


class Entry(NamedTuple):
    """All replicas of one row, with their seeds in ascending order.

    Attributes:
        key: of the row.
        replicas: as recorded.
        sample: their test errors.
        cost: parameters and FLOPs of one replica, training seconds of all of these.
        options: the flat config of the (first) run that they come from; empty for a baseline.
        rung: the place of that run in a ladder, if it has one.
        search: all trials that they were chosen from, if they were.
        rests: see `basis`; what is recorded of it.
    """

    key: Key
    replicas: tuple[ReplicaEntry, ...]
    sample: Sample
    cost: Cost
    options: dict[str, Any]
    rung: RungEntry | None = None
    search: Search = ()
    rests: Basis | None = None

    @property
    def basis(self) -> Basis:
        """What its figures rest on: the number of test molecules is that of the errors, where these are known."""
        basis, spread = self.rests or Basis(self.key.group.train_size), self.sample.errors
        return basis if spread is None else basis._replace(num_test=spread.shape[1])


class Study(NamedTuple):
    """A study: its records, and the entries of its table in their stable order."""

    name: str
    records: list[Record]
    entries: list[Entry]


class _Replica(NamedTuple):
    entry: ReplicaEntry
    run: str
    cost: Cost
    options: dict[str, Any]
    rests: Basis
    rung: RungEntry | None = None
    search: Search = ()


def read_study(folder: Path | str) -> Study:
    """Read the records of a study, and the predictions where they are kept.

    Args:
        folder: the folder of the study, such as `results/quick`.

    Raises:
        InputError: there are no records, or one of them or its predictions cannot be read.
    """
    folder = Path(folder)
    return gather(folder.resolve().name, StudyFolder.at(folder).records(), folder)


def gather(name: str, records: list[Record], folder: Path | None = None) -> Study:
    """Gather the replicas of finished runs; without a folder, those of their records alone.

    A replica that was trained in two runs (such as with `seeds=[0]` and with `seeds=[0,1]`) counts once. Of the
    trials of a search only the one with the lowest validation error has an entry.
    """
    searches = find_searches(records)
    done = [record for record in records if record.status == "done"]
    found: _Found = {}
    for record, variant in zip(done, _variants(done), strict=True):
        for key, replica in _replicas(record, variant, searches):
            found.setdefault(key, {}).setdefault(replica.entry.seed, []).append(replica)
    rows = {key: [by_seed[seed][0] for seed in sorted(by_seed)] for key, by_seed in found.items()}
    errors = _read_errors(done, found, folder) if folder else {}
    entries = [_entry(key, replicas, errors.get(key)) for key, replicas in rows.items()]
    return Study(name, records, sorted(entries, key=lambda entry: _order(entry.key)))


_Found = dict[Key, dict[int, list[_Replica]]]  # of each row and seed, the runs that it is recorded in


def _read_errors(done: list[Record], found: _Found, folder: Path) -> dict[Key, Floats]:
    """Read the errors of each row, `[S, M]`, right to where they stay; of rows of which all replicas are known.

    The files of all runs are read, also those that no row needs: a broken one is to be noticed. A baseline is
    recorded beside each model; any file that has its errors will do, which those of older versions have not.
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


def _replicas(
    record: Record, variant: dict[str, str], searches: dict[tuple[str, str], Search]
) -> Iterable[tuple[Key, _Replica]]:
    assert record.cost is not None  # of a run that is done
    section = Section(record.data_source, str(record.config["data"]["hydrogens"]), record.split_fingerprint)
    seconds = record.cost.train_seconds / len(record.replicas)
    cost = Cost(record.cost.parameters, record.cost.flops_per_molecule, seconds)
    options, basis = flatten(record.config), read_basis(record)
    for entry in record.replicas:
        search = searches.get((record.run, entry.target), ())
        if record.trial is not None and not search:
            continue  # another trial stands for this model
        group = Group(section, entry.target, entry.unit, record.train_size)
        key = Key(group, record.config["model"]["name"], _describe(variant))
        yield key, _Replica(entry, record.run, cost, options, basis, record.rung, search)
    of_data = {key: text for key, text in variant.items() if key.startswith("data.")}  # what baselines may know of
    for baseline in record.baselines:
        ignored = ignored_by(baseline.name)
        seen = _describe({key: text for key, text in of_data.items() if key not in ignored})
        for entry in baseline.replicas:
            group = Group(section, entry.target, entry.unit, record.train_size)
            cost = Cost(baseline.parameters, None, None)
            yield Key(group, baseline.name, seen, is_baseline=True), _Replica(entry, record.run, cost, {}, basis)


def _entry(key: Key, replicas: list[_Replica], errors: Floats | None) -> Entry:
    sample = Sample(
        seeds=tuple(replica.entry.seed for replica in replicas),
        maes=np.array([replica.entry.test.mae for replica in replicas]),
        errors=errors,
    )
    seconds = [replica.cost.train_seconds for replica in replicas if replica.cost.train_seconds is not None]
    cost = replicas[0].cost._replace(train_seconds=sum(seconds) if seconds else None)
    first = replicas[0]
    entries = tuple(replica.entry for replica in replicas)
    return Entry(key, entries, sample, cost, first.options, first.rung, first.search, first.rests)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known, or None."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _variants(records: list[Record]) -> list[dict[str, str]]:
    """Return for each record the options in which the records differ; an option that is absent is null.

    Options that only some models have are compared between the records of those models alone. What trials of a search
    differ in makes no variants: the model, tuned, is one, told from the same model untuned if a study has both.
    """
    flat = [flatten(record.config) for record in records]
    models = [str(options["model.name"]) for options in flat]
    keys = list(dict.fromkeys(key for options in flat for key in options if key not in _NOT_VARIANTS))
    variants: list[dict[str, str]] = [{} for _ in records]
    for key in keys:
        having = {model for model, options in zip(models, flat, strict=True) if key in options}
        values = {row: str(flat[row].get(key, "null")) for row, model in enumerate(models) if model in having}
        if len(set(values.values())) > 1:
            for row, value in values.items():
                variants[row][key] = value
    mixed = len({record.trial is None for record in records}) > 1
    for record, variant in zip(records, variants, strict=True):
        if record.trial is not None:
            for key in TUNED:
                variant.pop(key, None)
            variant |= {"tuned": "true"} if mixed else {}
    return variants


def flatten(options: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested options into `group.key: value`, without those that are null."""
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif value is not None:  # `budget=null` has no `budget.value`: null and absent are the same
            flat[prefix + key] = value
    return flat


def _describe(variant: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in variant.items())


def _order(key: Key) -> tuple[Any, ...]:
    group = key.group
    return (
        group.section,
        *target_order(group.target),
        group.unit,
        group.train_size,
        *model_order(key.model),
        key.variant,
    )


def target_order(target: str) -> tuple[int, str]:
    """Return what sorts targets in the order of QM9, and others behind them."""
    return _place(target, tuple(QM9_TARGETS))


def model_order(model: str) -> tuple[int, str]:
    """Return what sorts baselines first, then the models from the fewest assumptions on, then others."""
    return _place(model, _models())


@functools.cache
def _models() -> tuple[str, ...]:
    return (*baseline_names(), *model_names())


def _place(name: str, names: tuple[str, ...]) -> tuple[int, str]:
    return (names.index(name) if name in names else len(names), name)
