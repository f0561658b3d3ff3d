"""Ridge regression, whose penalty is chosen by the leave-one-out error."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import Fitted, RegressorBase, Settings

_PENALTIES = np.geomspace(1e-5, 1e3, 17)  # times the mean square of a centred vector


class Regressor(RegressorBase):
    """A linear function of the vectors, by scikit-learn: min |y - Xw|^2 + penalty |w|^2, with an intercept."""

    def choose(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Settings]:
        """Choose the penalty of the least mean absolute leave-one-out error (see `RegressorBase`)."""
        from sklearn.linear_model import RidgeCV

        columns = vectors.astype(np.float64)
        penalties = _PENALTIES * (float(columns.var(0).sum()) or 1.0)
        if len(columns) < 3:  # nothing can be left out
            return [{"penalty": float(penalties[-1])}] * labels.shape[1]
        ridge = RidgeCV(penalties, scoring="neg_mean_absolute_error", alpha_per_target=True)
        return [{"penalty": float(penalty)} for penalty in np.atleast_1d(ridge.fit(columns, labels).alpha_)]

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings]) -> list[Fitted]:
        """Fit each target with its penalty (see `RegressorBase`)."""
        from sklearn.linear_model import Ridge

        columns = vectors.astype(np.float64)
        penalties = np.array([chosen["penalty"] for chosen in settings])
        ridge = Ridge(penalties).fit(columns, labels)
        weights, constants = np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_)

        def predict(place: int, asked: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(asked.astype(np.float64) @ weights[place] + constants[place])

        return [Fitted(functools.partial(predict, place), columns.shape[1] + 1) for place in range(len(settings))]
