"""The baselines of a run, fitted and measured on the same molecules as its replicas."""

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from ibbench.baselines import Baseline, baseline_names, get_baseline, lacking
from ibbench.baselines.pairs import FORMAT, is_pair
from ibbench.baselines.pairs.kept import Part, keep_pairs
from ibbench.baselines.pairs.pair import Pair
from ibbench.baselines.regressors import Settings
from ibbench.data.cache import CacheError, cache_folder, read_cache, write_cache
from ibbench.data.dataset import DataSet
from ibbench.data.itself import is_itself
from ibbench.data.splits import Split
from ibbench.errors import InputError
from ibbench.plugins.load import names_of
from ibbench.record.folder import BASELINES, PREDICTIONS
from ibbench.record.lease import Lease
from ibbench.record.predictions import Floats, Predictions, open_predictions, write_predictions
from ibbench.record.schema import BaselineEntry, Record, ReplicaEntry, write_record
from ibbench.run.describe import describe_errors
from ibbench.run.plan import Point
from ibbench.terminal import mention
from ibbench.training.packs import list_replicas
from ibbench.training.replicas import Replica


class Measured(NamedTuple):
    """A baseline: its entry for the record, and its test predictions, float64 `[R, M]`.

    Predictions are in the units of the targets, and those of classes are logits.
    """

    entry: BaselineEntry
    prediction: Tensor


class _Row(NamedTuple):
    """One replica of a baseline: its entry, its test predictions, float64 `[M]`, and what its fit has chosen."""

    entry: ReplicaEntry
    prediction: Tensor
    parameters: int
    settings: Settings | None


def wanted_baselines(asked: Sequence[str], plugins: Sequence[str] = ()) -> tuple[str, ...]:
    """List the baselines of a run: those that all runs have, those of its plugins, and those that are asked for."""
    return tuple(dict.fromkeys([*baseline_names(), *names_of("baseline", plugins), *asked]))


def measure_baselines(
    dataset: DataSet,
    split: Split,
    replicas: list[Replica],
    plugins: Sequence[str] = (),
    asked: Sequence[str] = (),
    done: Collection[str] = (),
    given: Tensor | None = None,
) -> tuple[Measured, ...]:
    """Fit every baseline to the train subset of each replica, and measure its errors.

    Args:
        dataset: the molecules.
        split: division of these molecules into train pool, validation and test set.
        replicas: the targets and seeds of the run.
        plugins: plugins of the run, which may bring baselines of their own.
        asked: pairs that the config asks for, such as `morgan+ridge`.
        done: baselines to leave out.
        given: the labels of the train molecules of each replica, float64 `[R, n]` in the targets' units; None for their
            true targets. Baselines are fitted to the same labels as models.
    """
    # A baseline restores molecules or predicts labels, as the run does.
    restored = next((target for target, _ in replicas if is_itself(dataset, target)), "")
    names = [
        name
        for name in wanted_baselines(asked, plugins)
        if name not in done and get_baseline(name).reconstructs == restored
    ]
    return tuple(_measure(name, dataset, split, replicas, given) for name in names)


def _measure(name: str, dataset: DataSet, split: Split, replicas: list[Replica], given: Tensor | None) -> Measured:
    baseline = get_baseline(name)(dataset)
    rows: dict[Replica, _Row] = {}
    for seed in dict.fromkeys(seed for _, seed in replicas):
        targets = [target for target, other in replicas if other == seed]
        if given is not None:
            labels = [row for row, (_, other) in zip(given, replicas, strict=True) if other == seed]
            baseline.dataset = _relabelled(dataset, split, seed, targets, labels)
        measured = (
            _measure_pair(baseline, dataset, split, seed, targets)
            if isinstance(baseline, Pair)
            else [row for target in targets for row in _measure_seed(baseline, split, seed, [target])]
        )
        rows |= {Replica(row.entry.target, seed): row for row in measured}
    of_replicas = [rows[replica] for replica in replicas]
    settings = tuple(row.settings for row in of_replicas if row.settings is not None)
    entry = BaselineEntry(
        name=name,
        parameters=max(row.parameters for row in of_replicas),
        replicas=tuple(row.entry for row in of_replicas),
        settings=settings or None,
    )
    return Measured(entry, torch.stack([row.prediction for row in of_replicas]))


def _relabelled(dataset: DataSet, split: Split, seed: int, targets: list[str], labels: list[Tensor]) -> DataSet:
    """Return the data set with other labels `[n]` of each target for the train molecules of a seed."""
    values = dataset.values.clone()
    for target, row in zip(targets, labels, strict=True):
        values[split.of_target(target).train_subset(seed), dataset.column(target)] = row
    return dataclasses.replace(dataset, values=values)


def _measure_seed(baseline: Baseline, split: Split, seed: int, targets: list[str]) -> list[_Row]:
    """Fit to the labels of a seed for some targets, whose labels the same molecules have, and measure the errors."""
    dataset, labelled, rows = baseline.dataset, split.of_target(targets[0]), []
    subset = labelled.train_subset(seed)
    for place, (target, predict) in enumerate(zip(targets, baseline.fit_all(targets, subset), strict=True)):
        column = dataset.column(target)
        if dataset.targets[column].is_class:
            predict = _as_logits(predict, len(subset))
        parts = {"train": subset, "validation": labelled.validation, "test": labelled.test}
        predicted = {part: predict(index) for part, index in parts.items()}
        if predicted["train"].shape != dataset.labels(target)[subset].shape:
            raise ValueError(f"the baseline {type(baseline).__name__} does not predict single atoms, as {target} asks")
        errors: dict[str, Any] = {
            part: describe_errors(predicted[part], dataset.labels(target)[index], dataset.targets[column])
            for part, index in parts.items()
            if len(index)  # with data.test_size=0 nothing tests
        }
        unit = dataset.targets[column].unit
        entry = ReplicaEntry(target=target, seed=seed, unit=unit, best_epoch=0, epochs=0, **errors)
        settings = baseline.settings[place] if isinstance(baseline, Pair) else None
        of_test = predicted["test"] if len(labelled.test) == len(split.test) else predict(split.test)
        rows.append(_Row(entry, of_test, baseline.num_parameters, settings))
    return rows


def _as_logits(predict: Callable[[Tensor], Tensor], num_labels: int) -> Callable[[Tensor], Tensor]:
    """Turn probabilities of class 1 into logits.

    Probabilities beyond 1 / (n + 2) and (n + 1) / (n + 2) are taken as these, the most that n labels of one class can
    show by Laplace's rule of succession: a regression on classes also predicts numbers below 0 and above 1.
    """
    least = 1 / (num_labels + 2)
    return lambda index: predict(index).clamp(least, 1 - least).logit()


def _measure_pair(pair: Pair, dataset: DataSet, split: Split, seed: int, targets: list[str]) -> list[_Row]:
    """Measure a pair, unless the cache has its errors: all models of a study have the same, and a fit takes minutes."""
    paths = {target: _path(pair, dataset, split, seed, target) for target in targets}
    found = {target: row for target, path in paths.items() if (row := _read(path))}
    missing = [target for target in targets if target not in found]
    if missing:
        if not found:
            mention(f"{pair.name}: fitting to {split.train_size:,} molecules, seed {seed}")
        labelled = split.of_target(targets[0])
        pair.prepare(torch.cat([labelled.train_subset(seed), split.validation, split.test]))
        for row in _measure_seed(pair, split, seed, missing):
            found[row.entry.target] = row
            facts = {"entry": row.entry.model_dump(), "parameters": row.parameters, "settings": row.settings}
            write_cache(paths[row.entry.target], {"prediction": row.prediction.numpy()}, facts)
    return [found[target] for target in targets]


def _hash(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _read(path: Path) -> _Row | None:
    try:
        arrays, facts = read_cache(path, {})
        entry = ReplicaEntry.model_validate(facts["entry"])
    except (FileNotFoundError, CacheError, ValidationError):  # the last: written by a version with other fields
        return None
    return _Row(entry, torch.from_numpy(arrays["prediction"]), facts["parameters"], facts["settings"])


def _path(pair: Pair, dataset: DataSet, split: Split, seed: int, target: str) -> Path:
    """Return where the cache keeps the errors of a pair on one target: a name made from all that they follow from."""
    versions = {name: importlib.metadata.version(name) for name in ("scikit-learn", "scipy", "numpy")}
    facts = {
        "format": FORMAT,
        "name": pair.name,
        "vectors": pair.vectors.facts(),
        "hydrogens": dataset.hydrogens,
        "molecules": _hash(split.of_target(target).train_subset(seed), split.validation, split.test),
        "labels": _hash(dataset.values[:, dataset.column(target)]),
        "replica": [target, seed],
        "unit": dataset.targets[dataset.column(target)].unit,  # no figure depends on it, but the entry names it
        "versions": versions,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    return cache_folder() / "baselines" / f"{digest}.safetensors"


def keep_baselines(folder: Path, dataset: DataSet, split: Split, recorded: Sequence[BaselineEntry]) -> None:
    """Write what the pairs of a run need to predict new molecules; nothing for a run without pairs.

    Args:
        folder: the folder of the run.
        dataset: the molecules.
        split: division of these molecules.
        recorded: all baselines of the run.
    """
    pairs = {
        entry.name: [
            Part(one.target, one.seed, one.unit, settings)
            for one, settings in zip(entry.replicas, entry.settings or (), strict=True)
        ]
        for entry in recorded
        if is_pair(entry.name)
    }
    if pairs:
        keep_pairs(folder / BASELINES, dataset, split, pairs)


def add_baselines(point: Point, record: Record, lease: Lease) -> Record:
    """Fit the baselines that a finished run lacks, and add them to its predictions and its record.

    Args:
        point: the planned run.
        record: its record.
        lease: the lock of the run, which this process holds.

    Raises:
        InputError: the predictions of the run were deleted, so nothing can be added to them.
        LostError: another process has taken the lock.
    """
    predictions = open_predictions(point.folder)
    if predictions is None and len(point.split.test):
        raise InputError(f"{point.folder} has no {PREDICTIONS} to add baselines to: rerun=true trains it anew")
    replicas, names = list_replicas(point.resolved), {entry.name for entry in record.baselines}
    mention(f"{point.run}: adding {', '.join(lacking(point.config.baselines, names))}")
    added = measure_baselines(point.dataset, point.split, replicas, (), point.config.baselines, names)
    complete = record.model_copy(update={"baselines": (*record.baselines, *(one.entry for one in added))})
    lease.check()
    keep_baselines(point.folder, point.dataset, point.split, complete.baselines)
    if predictions is not None:  # there are none where no molecule tests
        _add_predictions(point.folder, predictions, {one.entry.name: one.prediction.numpy() for one in added})
    write_record(point.folder, complete)  # last: a baseline in the predictions alone is ignored
    return complete


def _add_predictions(folder: Path, predictions: Predictions, added: dict[str, Floats]) -> None:
    plain = {name: predictions.plain(name) for name in predictions.names()}
    known = (
        dict(zip(plain["baseline"].tolist(), plain["baseline_prediction"], strict=True)) if "baseline" in plain else {}
    )
    assert "places" not in plain  # `run.output` refuses pairs for targets of atoms
    write_predictions(
        folder,
        index=plain["index"],
        ids=plain["id"],
        replicas=list(zip(plain["target"].tolist(), plain["seed"].tolist(), strict=True)),
        truth=plain["truth"],
        prediction=plain["prediction"],
        baselines=known | added,
    )
