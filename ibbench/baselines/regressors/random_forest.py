"""A random forest: the mean of deep decision trees, each grown on other molecules and other columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import TRIALS, TUNED_ON, Fitted, RegressorBase, Settings

_SHARES, _FEWEST = (0.05, 0.15, 0.4, 1.0), (1, 3)  # of the columns, drawn for each split; molecules in a leaf
_TREES = 100
_TREES_TRIED = 30  # while settings are tried


class Regressor(RegressorBase):
    """Random forest of scikit-learn, squared loss (Breiman 2001, Machine Learning 45, 5)."""

    def choose(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Settings]:
        """Choose the setting of the least error on molecules that a tree has not seen (out of bag; `RegressorBase`)."""
        columns = vectors[:TUNED_ON].astype(np.float32)
        return [_choose(columns, of_target) for of_target in labels[:TUNED_ON].T]

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings]) -> list[Fitted]:
        """Fit each target with its setting (see `RegressorBase`)."""
        columns = vectors.astype(np.float32)
        return [_fit(columns, of_target, chosen) for of_target, chosen in zip(labels.T, settings, strict=True)]


def _fit(columns: NDArray[Any], labels: NDArray[Any], chosen: Settings) -> Fitted:
    forest = _grow(columns, labels, chosen, _TREES)
    leaves = sum(int(tree.get_n_leaves()) for tree in forest.estimators_)
    return Fitted(lambda asked: np.asarray(forest.predict(asked.astype(np.float32))), leaves)


def _grow(columns: NDArray[Any], labels: NDArray[Any], chosen: Settings, trees: int, out_of_bag: bool = False) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        trees, max_features=chosen["share"], min_samples_leaf=chosen["fewest"], oob_score=out_of_bag,
        random_state=0, n_jobs=-1,
    )  # fmt: skip
    forest.fit(columns, labels)
    return forest.set_params(n_jobs=1)  # threads would add the trees' values in any order, which changes the last digit


def _choose(columns: NDArray[Any], labels: NDArray[Any]) -> Settings:
    trials = [{"share": share, "fewest": fewest} for share, fewest in itertools.product(_SHARES, _FEWEST)]
    assert len(trials) == TRIALS
    best, least = trials[0], np.inf
    for trial in trials if len(columns) >= _TREES_TRIED else []:
        error = float(np.abs(_grow(columns, labels, trial, _TREES_TRIED, True).oob_prediction_ - labels).mean())
        if error < least:
            best, least = trial, error
    return best
