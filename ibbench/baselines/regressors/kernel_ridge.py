"""Kernel ridge regression: a molecule is predicted by those it resembles.

The prediction is sum_i a_i k(x, x_i), with a = (K + penalty I)^-1 y over the train molecules, as in Faber et al. 2017
(J. Chem. Theory Comput. 13, 5255). The kernel k is exp(-|x - x_i|_1 / width) (Laplacian) or
exp(-|x - x_i|_2^2 / (2 width^2)) (Gaussian).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.regressors import TRIALS, TUNED_ON, Fitted, RegressorBase, Settings

_PENALTIES = 10.0 ** np.arange(-9, 1)  # the kernel of a molecule with itself is 1
_WIDTHS = (0.25, 1.0, 4.0, 16.0)  # times the median distance between train molecules
_BLOCK = 2000  # molecules that are predicted at a time
Floats = NDArray[np.float64]


class _Setting(NamedTuple):
    kernel: str
    width: float  # in the unit of the distance
    penalty: float


class Regressor(RegressorBase):
    """Kernel ridge regression on labels minus their mean."""

    most_labels = 20_000  # two matrices of this size take 6 GB

    def choose(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Settings]:
        """Choose kernel, width and penalty of the least mean absolute leave-one-out error (see `RegressorBase`)."""
        chosen = _choose(vectors[:TUNED_ON], (labels - labels.mean(0))[:TUNED_ON])
        return [setting._asdict() for setting in chosen]

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings]) -> list[Fitted]:
        """Fit each target with its setting (see `RegressorBase`)."""
        from scipy.linalg import cho_factor, cho_solve

        mean, chosen = labels.mean(0), [_Setting(**setting) for setting in settings]
        weights = np.empty_like(labels)
        for setting in dict.fromkeys(chosen):
            targets = [place for place, one in enumerate(chosen) if one == setting]
            kernel = _kernel(setting.kernel, setting.width, _distances(setting.kernel, vectors, vectors))
            kernel[np.diag_indices_from(kernel)] += setting.penalty
            factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
            weights[:, targets] = cho_solve(factor, (labels - mean)[:, targets], check_finite=False)
            del kernel, factor
        return [
            Fitted(functools.partial(_predict, vectors, setting, weights[:, place], mean[place]), len(vectors))
            for place, setting in enumerate(chosen)
        ]


def _predict(vectors: NDArray[Any], setting: _Setting, weights: Floats, mean: float, asked: NDArray[Any]) -> Floats:
    blocks = [asked[start : start + _BLOCK] for start in range(0, len(asked), _BLOCK)]
    values = [
        _kernel(setting.kernel, setting.width, _distances(setting.kernel, block, vectors)) @ weights for block in blocks
    ]
    return mean + np.concatenate([*values, np.empty(0)])


def _choose(vectors: NDArray[Any], labels: Floats) -> list[_Setting]:
    """Return for each target the setting whose leave-one-out errors are the least in their mean."""
    found: list[tuple[float, _Setting | None]] = [(np.inf, None)] * labels.shape[1]
    trials = list(itertools.product(("laplacian", "gaussian"), _WIDTHS))
    assert len(trials) == TRIALS
    distances = {kind: _distances(kind, vectors, vectors) for kind in ("laplacian", "gaussian")}
    for kind, factor in trials:
        width = factor * _typical(distances[kind], kind)
        for penalty, errors in zip(_PENALTIES, leave_one_out(_kernel(kind, width, distances[kind].copy()), labels),
                                   strict=True):  # fmt: skip
            for place, error in enumerate(np.abs(errors).mean(0).tolist()):
                if error < found[place][0]:
                    found[place] = error, _Setting(kind, width, float(penalty))
    return [setting or _Setting("laplacian", 1.0, 1.0) for _, setting in found]


def leave_one_out(kernel: Floats, labels: Floats) -> list[Floats]:
    """Return the errors of each molecule when it is left out of the fit, `[m, T]` for each penalty that is tried.

    With C = (K + penalty I)^-1, the error is (C y)_i / C_ii (Rasmussen & Williams 2006, section 5.4.2).

    Args:
        kernel: K, the kernel between m train molecules, `[m, m]`.
        labels: y, `[m, T]`.
    """
    from scipy.linalg import eigh

    values, vectors = eigh(kernel, overwrite_a=True, check_finite=False)
    turned = vectors.T @ labels
    errors = []
    for penalty in _PENALTIES:
        inverse = 1 / (np.maximum(values, 0) + penalty)
        diagonal = (vectors**2) @ inverse
        errors.append((vectors @ (inverse[:, None] * turned)) / diagonal[:, None])
    return errors


def _typical(distances: Floats, kind: str) -> float:
    """Return the median distance between two different molecules; 1 where there is none."""
    middle = float(np.median(distances[~np.eye(len(distances), dtype=bool)])) if len(distances) > 1 else 0.0
    return (middle**0.5 if kind == "gaussian" else middle) or 1.0


def _kernel(kind: str, width: float, distances: Floats) -> Floats:
    """Return the kernel in the place of the distances, which are squared for the Gaussian."""
    distances /= -width if kind == "laplacian" else -2 * width**2
    return np.exp(distances, out=distances)


def _distances(kind: str, one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """Return the distances between rows, `[n, m]`: |x - y|_1 for the Laplacian kernel, |x - y|_2^2 for the Gaussian."""
    if kind == "laplacian":
        if one.dtype == np.uint8:
            return _between_counts(one, other)
        from scipy.spatial.distance import cdist

        used = ~((one == one[:1]).all(0) & (other == one[:1]).all(0))  # others add nothing, and take as long
        one, other = one[:, used], other[:, used]
        return cdist(one.astype(np.float64), other.astype(np.float64), "cityblock")
    one, other = one.astype(np.float64), other.astype(np.float64)
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)
    squares -= 2 * one @ other.T
    return np.maximum(squares, 0, out=squares)


def _between_counts(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Floats:
    """Return |x - y|_1 = sum x + sum y - 2 sum min(x, y) of counts, exactly, and much faster than pair by pair.

    min(x, y) is the number of steps t = 1, 2, … with x >= t and y >= t: a product of two matrices of zeros and ones.
    """
    total = one.sum(1, dtype=np.float64)[:, None] + other.sum(1, dtype=np.float64)
    for step in range(1, int(min(one.max(initial=0), other.max(initial=0))) + 1):
        reached = (other >= step).any(0) & (one >= step).any(0)
        left, right = ((counts[:, reached] >= step).astype(np.float32) for counts in (one, other))
        total -= 2 * (left @ right.T)
    return total
