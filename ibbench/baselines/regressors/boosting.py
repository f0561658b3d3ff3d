"""Gradient boosting: a sum of shallow decision trees, each fitted to what the trees before it leave."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import TRIALS, TUNED_ON, Fitted, RegressorBase, Settings

_RATES, _LEAVES, _FEWEST = (0.05, 0.15), (6, 24), (3, 12)
_TREES = 300  # at most
_SHARE = 0.5  # of the columns, drawn for each split
_LEFT_OUT = 5  # one of so many train molecules is left out while settings are tried


class Regressor(RegressorBase):
    """Histogram gradient boosting of scikit-learn, squared loss (Friedman 2001, Annals of Statistics 29, 1189)."""

    def choose(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Settings]:
        """Choose the setting of the least error on a fifth that is left out, and how many trees (`RegressorBase`)."""
        columns = _varying(vectors[:TUNED_ON])[1]
        return [_choose(columns, of_target) for of_target in labels[:TUNED_ON].T]

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings]) -> list[Fitted]:
        """Fit each target with its setting (see `RegressorBase`)."""
        used, columns = _varying(vectors)
        return [_fit(columns, of_target, used, chosen) for of_target, chosen in zip(labels.T, settings, strict=True)]


def _varying(vectors: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the columns that differ between molecules, and their values; the first column if none differs."""
    used = np.flatnonzero((vectors != vectors[:1]).any(0))
    used = used if len(used) else np.zeros(1, dtype=np.int64)
    return used, vectors[:, used].astype(np.float32)


def _fit(columns: NDArray[Any], labels: NDArray[Any], used: NDArray[Any], chosen: Settings) -> Fitted:
    booster = _grow(columns, labels, chosen)
    leaves = chosen["trees"] * chosen["leaves"]
    return Fitted(lambda asked: np.asarray(booster.predict(asked[:, used].astype(np.float32))), leaves)


def _grow(columns: NDArray[Any], labels: NDArray[Any], chosen: Settings) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    booster = HistGradientBoostingRegressor(
        learning_rate=chosen["rate"], max_leaf_nodes=chosen["leaves"], min_samples_leaf=chosen["fewest"],
        max_iter=chosen["trees"], max_features=_SHARE, early_stopping=False, random_state=0,
    )  # fmt: skip
    return booster.fit(columns, labels)


def _choose(columns: NDArray[Any], labels: NDArray[Any]) -> Settings:
    trials = [
        {"rate": rate, "leaves": leaves, "fewest": fewest, "trees": _TREES}
        for rate, leaves, fewest in itertools.product(_RATES, _LEAVES, _FEWEST)
    ]
    assert len(trials) == TRIALS
    out = np.arange(len(columns)) % _LEFT_OUT == _LEFT_OUT - 1
    best, least = trials[0], np.inf
    for trial in trials if out.any() else []:
        for count, values in enumerate(_grow(columns[~out], labels[~out], trial).staged_predict(columns[out]), 1):
            error = float(np.abs(values - labels[out]).mean())
            if error < least:
                best, least = trial | {"trees": count}, error
    return best
