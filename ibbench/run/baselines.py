"""The baselines of a run, measured on the molecules that its replicas were measured on."""

from typing import Any

from ibbench.baselines import baseline_names, get_baseline
from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.record.schema import BaselineEntry, MetricsEntry, ReplicaEntry
from ibbench.training.metrics import measure
from ibbench.training.replicas import Replica


def measure_baselines(dataset: DataSet, split: Split, replicas: list[Replica]) -> tuple[BaselineEntry, ...]:
    """Fit every baseline to the train subset of each replica, and measure it.

    Args:
        dataset: the molecules.
        split: their division.
        replicas: the targets and seeds of the run.
    """
    return tuple(_measure(name, dataset, split, replicas) for name in baseline_names())


def _measure(name: str, dataset: DataSet, split: Split, replicas: list[Replica]) -> BaselineEntry:
    baseline = get_baseline(name)(dataset)
    entries = []
    for target, seed in replicas:
        column = dataset.column(target)
        subset = split.train_subset(seed)
        predict = baseline.fit(target, subset)
        parts = {"train": subset, "validation": split.validation, "test": split.test}
        errors: dict[str, Any] = {
            part: MetricsEntry(**measure(predict(index), dataset.values[index, column])._asdict())
            for part, index in parts.items()
        }
        unit = dataset.targets[column].unit
        entries.append(ReplicaEntry(target=target, seed=seed, unit=unit, best_epoch=0, epochs=0, **errors))
    return BaselineEntry(name=name, parameters=baseline.num_parameters, replicas=tuple(entries))
