"""Predictions that need no model: what any bias has to beat."""

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.record.schema import BaselineEntry, MetricsEntry, ReplicaEntry
from ibbench.training.metrics import measure
from ibbench.training.replicas import Replica

RIDGE = 1e-6  # relative to the mean square of a count: enough to make constant elements harmless


def measure_baselines(dataset: DataSet, split: Split, replicas: list[Replica]) -> list[BaselineEntry]:
    """Fit and measure the baselines on the train subset of each replica.

    `mean` predicts the mean of the train subset. `composition` is a ridge regression of the target on the
    number of atoms of each element, hydrogens included: what the chemical formula alone tells.
    """
    counts, _ = dataset.composition()
    features = torch.cat([torch.ones(len(dataset), 1, dtype=torch.float64), counts], dim=1)
    return [
        _measure("mean", features[:, :1], dataset, split, replicas),
        _measure("composition", features, dataset, split, replicas),
    ]


def _measure(name: str, features: Tensor, dataset: DataSet, split: Split, replicas: list[Replica]) -> BaselineEntry:
    entries = []
    for target, seed in replicas:
        column = dataset.column(target)
        truth = dataset.values[:, column]
        subset = split.train_subset(seed)
        prediction = features @ _ridge(features[subset], truth[subset])
        train, validation, test = (
            MetricsEntry(**measure(prediction[part], truth[part])._asdict())
            for part in (subset, split.validation, split.test)
        )
        unit = dataset.targets[column].unit
        entries.append(
            ReplicaEntry(
                target=target,
                seed=seed,
                unit=unit,
                best_epoch=0,
                epochs=0,
                train=train,
                validation=validation,
                test=test,
            )
        )
    return BaselineEntry(name=name, parameters=features.shape[1], replicas=tuple(entries))


def _ridge(features: Tensor, truth: Tensor) -> Tensor:
    """Solve (X'X + lambda n) w = X'(y - mean), where the first column of X, the intercept, is not shrunk."""
    centre = truth.mean()
    gram = features.T @ features
    penalty = torch.full((len(gram),), RIDGE * len(features), dtype=torch.float64)
    penalty[0] = 0
    weights = torch.linalg.solve(gram + penalty.diag(), features.T @ (truth - centre))
    weights[0] += centre
    return weights
