"""The baselines of a run, fitted and measured on the same molecules as its replicas."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ibbench.baselines import baseline_names, get_baseline
from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.plugins.load import names_of
from ibbench.record.schema import BaselineEntry, MetricsEntry, ReplicaEntry
from ibbench.training.metrics import measure
from ibbench.training.replicas import Replica


class Measured(NamedTuple):
    """A baseline: its entry for the record, and its test predictions, float64 `[R, M]` in the units of the targets."""

    entry: BaselineEntry
    prediction: Tensor


def measure_baselines(
    dataset: DataSet,
    split: Split,
    replicas: list[Replica],
    plugins: Sequence[str] = (),
    given: Tensor | None = None,
) -> tuple[Measured, ...]:
    """Fit every baseline to the train subset of each replica, and measure its errors.

    Args:
        dataset: the molecules.
        split: division of these molecules into train pool, validation and test set.
        replicas: the targets and seeds of the run.
        plugins: plugins of the run, which may bring baselines of their own.
        given: the labels of the train molecules of each replica, float64 `[R, n]` in the targets' units; None for their
            true targets. Baselines are fitted to the same labels as models.
    """
    names = (*baseline_names(), *names_of("baseline", plugins))
    return tuple(_measure(name, dataset, split, replicas, given) for name in names)


def _measure(name: str, dataset: DataSet, split: Split, replicas: list[Replica], given: Tensor | None) -> Measured:
    baseline = get_baseline(name)(dataset)
    entries, predictions = [], []
    for row, (target, seed) in enumerate(replicas):
        column = dataset.column(target)
        subset = split.train_subset(seed)
        values = dataset.values[:, column]
        if given is not None:
            values = values.index_put((subset,), given[row])
            altered = dataset.values.clone()
            altered[:, column] = values
            baseline.dataset = dataclasses.replace(dataset, values=altered)
        predict = baseline.fit(target, subset)
        parts = {"train": subset, "validation": split.validation, "test": split.test}
        errors: dict[str, Any] = {
            part: MetricsEntry(**measure(predict(index), values[index])._asdict()) for part, index in parts.items()
        }
        unit = dataset.targets[column].unit
        predictions.append(predict(split.test))
        entries.append(ReplicaEntry(target=target, seed=seed, unit=unit, best_epoch=0, epochs=0, **errors))
    entry = BaselineEntry(name=name, parameters=baseline.num_parameters, replicas=tuple(entries))
    return Measured(entry, torch.stack(predictions))
