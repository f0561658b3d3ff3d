"""Ridge regression, whose penalty is chosen by the leave-one-out error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import Fitted, RegressorBase

_PENALTIES = np.geomspace(1e-6, 1e4, 21)  # relative to the mean square of a column; wider than any choice so far


class Regressor(RegressorBase):
    """A linear function of the vectors, by scikit-learn: min |y - Xw|^2 + penalty |w|^2, with an intercept."""

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Fitted]:
        """Fit each target, with the penalty of the least mean absolute leave-one-out error (see `RegressorBase`)."""
        from sklearn.linear_model import RidgeCV

        columns = vectors.astype(np.float64)
        scale = float(columns.var(0).mean()) * len(columns) / 100 or 1.0
        fits = []
        for of_target in labels.T:
            ridge = RidgeCV(_PENALTIES * scale, scoring="neg_mean_absolute_error").fit(columns, of_target)
            settings: dict[str, float | str] = {"penalty": float(ridge.alpha_)}
            fits.append(Fitted(ridge.predict, columns.shape[1] + 1, settings))
        return fits
