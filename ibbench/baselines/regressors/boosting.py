"""Gradient boosting: a sum of shallow decision trees, each fitted to what the trees before it leave."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import TRIALS, TUNED_ON, Fitted, RegressorBase

_RATES, _LEAVES, _FEWEST = (0.05, 0.15), (6, 24), (3, 12)
_TREES = 300
_LEFT_OUT = 5  # one of so many train molecules is left out while settings are tried


class Regressor(RegressorBase):
    """Histogram gradient boosting of scikit-learn, squared loss (Friedman 2001, Annals of Statistics 29, 1189)."""

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Fitted]:
        """Fit each target, with the setting of the least error on a fifth that is left out (see `RegressorBase`)."""
        used = np.flatnonzero((vectors != vectors[:1]).any(0))
        columns = vectors[:, used].astype(np.float32)
        return [_fit(columns, of_target, used) for of_target in labels.T]


def _fit(columns: NDArray[Any], labels: NDArray[Any], used: NDArray[Any]) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingRegressor

    def grow(place: int, rows: slice | NDArray[Any], trees: int) -> Any:
        rate, leaves, fewest = trials[place]
        booster = HistGradientBoostingRegressor(
            learning_rate=rate, max_leaf_nodes=leaves, min_samples_leaf=fewest, max_iter=trees,
            max_features=0.5 if columns.shape[1] > 1 else 1.0, early_stopping=False, random_state=0,
        )  # fmt: skip
        return booster.fit(columns[rows], labels[rows])

    trials = list(itertools.product(_RATES, _LEAVES, _FEWEST))
    assert len(trials) == TRIALS
    tried = np.arange(min(len(columns), TUNED_ON))
    out = tried % _LEFT_OUT == 0
    best, trees, least = 0, _TREES, np.inf
    if out.sum() and not out.all():
        for place in range(TRIALS):
            grown = grow(place, tried[~out], _TREES)
            for count, values in enumerate(grown.staged_predict(columns[tried[out]]), 1):
                error = float(np.abs(values - labels[tried[out]]).mean())
                if error < least:
                    best, trees, least = place, count, error
    booster = grow(best, slice(None), trees)
    rate, leaves, fewest = trials[best]
    settings: dict[str, float | str] = {"rate": rate, "leaves": leaves, "fewest": fewest, "trees": trees}
    return Fitted(lambda asked: booster.predict(asked[:, used].astype(np.float32)), trees * leaves, settings)
