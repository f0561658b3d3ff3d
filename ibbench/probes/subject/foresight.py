"""How well numbers that are known before training foretell errors of trained models: order, single steps, ratios."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

FEWEST = 4  # models that a rank correlation needs at least
_MOST_EXACT = 7  # models up to which all orders are tried; 5,040 at 7
_DRAWS = 20_000  # random orders of more models than that
_SAME = 1e-9  # difference that rounding leaves between correlations of the same order


def rank_correlation(foretold: Sequence[Floats], measured: Sequence[Floats]) -> tuple[float, float | None]:
    """Return Spearman's correlation over models, averaged over tasks, and its p-value by permutation.

    A p-value is the share of orders of the models for which the mean correlation is as far from 0, two-sided. The order
    is the same on all tasks: errors on several targets are not independent, and only models can be exchanged. So four
    models give no p-value below 2 / 24, on however many targets.

    Args:
        foretold: a number per model, `[M]`, for each task; larger for models that are foretold to err more.
        measured: the error of each model, `[M]`, for each task.

    Returns:
        The correlation, NaN if all numbers of a task are equal; and the p-value, None with fewer than 4 models.
    """
    ours, theirs = (np.stack([_standard_ranks(values) for values in tasks]) for tasks in (foretold, measured))
    count = ours.shape[1]
    found = float((ours * theirs).sum(1).mean())
    if count < FEWEST or math.isnan(found):
        return found, None
    if count <= _MOST_EXACT:
        orders = _all_orders(count)
        return found, _share_as_far(found, ours, theirs, orders)
    random = np.random.RandomState([count])
    orders = np.stack([random.permutation(count) for _ in range(_DRAWS)])
    share = _share_as_far(found, ours, theirs, orders)
    return found, (share * _DRAWS + 1) / (_DRAWS + 1)


def _standard_ranks(values: Floats) -> Floats:
    """Return ranks less their mean, over their norm, so that products of two are correlations; NaN if all are equal."""
    ranks = stats.rankdata(values) - (len(values) + 1) / 2
    norm = math.sqrt(float(ranks @ ranks))
    return np.asarray(ranks / norm if norm else np.full(len(ranks), np.nan))


def _all_orders(count: int) -> NDArray[np.int64]:
    orders = np.zeros((1, 0), dtype=np.int64)
    for size in range(count):  # insert the next number at each place of each order
        places = range(size + 1)
        orders = np.concatenate([np.insert(orders, place, size, axis=1) for place in places])
    return orders


def _share_as_far(found: float, ours: Floats, theirs: Floats, orders: NDArray[np.int64]) -> float:
    drawn = np.mean([theirs[task][orders] @ ours[task] for task in range(len(ours))], axis=0)
    return float((np.abs(drawn) >= abs(found) - _SAME).mean())


class Concordance(NamedTuple):
    """How many pairs of models a number puts in the right order.

    Attributes:
        num_right: number of pairs whose errors are in the order of the numbers; a tie of the numbers counts as a half.
        num_pairs: number of pairs.
    """

    num_right: float
    num_pairs: int

    @property
    def tau(self) -> float | None:
        """Kendall's tau over these pairs: right less wrong pairs, over all pairs; None if there are none."""
        return 2 * self.num_right / self.num_pairs - 1 if self.num_pairs else None


def concordance(foretold: Floats, measured: Floats, pairs: Sequence[tuple[int, int]]) -> Concordance:
    """Count the pairs of models that a number puts in the right order.

    Args:
        foretold: a number per model, `[M]`; larger for models that are foretold to err more.
        measured: the error of each model, `[M]`.
        pairs: the pairs that count, by the places of the two models; those of equal errors are left out.
    """
    signs = [np.sign((foretold[a] - foretold[b]) * (measured[a] - measured[b])) for a, b in pairs]
    kept = [sign for sign, (a, b) in zip(signs, pairs, strict=True) if measured[a] != measured[b]]
    return Concordance(float(sum((1 + sign) / 2 for sign in kept)), len(kept))


class RatioError(NamedTuple):
    """By which factor foretold ratios of errors are typically off, with its 95 % interval over families of models.

    Attributes:
        factor: exponential of the mean absolute error of the logarithm: 1.1 is 10 % off.
        low: lower end of its interval (Student's t over families, on the logarithm); None with one family.
        high: upper end of that interval; None with one family.
    """

    factor: float
    low: float | None
    high: float | None


def foretell_ratios(
    foretold: Sequence[Floats | None], measured: Sequence[Floats], families: Sequence[str]
) -> RatioError | None:
    """Foretell the error of each family of models, over that of the others, by what is known of the others.

    On each task the logarithm of the error is taken as a + b x, with the number x that is known before training, one
    slope b for all tasks, and an a of each task, by least squares over the models of the other families. So the slope
    and the level come from models that are trained, and only x is known of the one that is foretold.

    Args:
        foretold: a number per model, `[M]`, for each task; None to take all models as alike (b = 0).
        measured: the error of each model, `[M]`, for each task, above 0.
        families: the family of each model, `[M]`.

    Returns:
        How far off it is; None if there are fewer than three families, or the numbers of the others do not differ.
    """
    names = list(dict.fromkeys(families))
    if len(names) < 3 or not all((errors > 0).all() for errors in measured):
        return None
    misses = []
    for name in names:
        out = np.array([family == name for family in families])
        logs = [np.log(errors) for errors in measured]
        slope = _slope(foretold, logs, ~out)
        if slope is None:
            return None
        of_family = []
        for x, y in zip(foretold, logs, strict=True):
            gap = 0.0 if x is None else slope * (x[out] - x[~out].mean())
            of_family.append(np.abs(y[~out].mean() + gap - y[out]))
        misses.append(float(np.concatenate(of_family).mean()))
    mean, spread = float(np.mean(misses)), float(np.std(misses, ddof=1)) / math.sqrt(len(misses))
    reach = spread * float(special.stdtrit(len(misses) - 1, 0.975))
    with np.errstate(over="ignore"):  # slopes of numbers that foretell nothing may miss by any factor
        factor, low, high = (float(np.exp(end)) for end in (mean, max(0.0, mean - reach), mean + reach))
    return RatioError(factor, low, high)


def _slope(foretold: Sequence[Floats | None], logs: Sequence[Floats], kept: NDArray[np.bool_]) -> float | None:
    above = below = 0.0
    for x, y in zip(foretold, logs, strict=True):
        if x is None:
            return 0.0
        centred = x[kept] - x[kept].mean()
        above += float(centred @ y[kept])
        below += float(centred @ centred)
    return above / below if below > 0 else None
