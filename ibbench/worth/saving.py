"""What one model saves against another: labels to reach the same error, and bits per label."""

from typing import NamedTuple

import numpy as np

from ibbench.options.words import NATS
from ibbench.worth.curves import Curve, Floats, interval

# What the columns of tables say of a multiplier between two models.
MULTIPLIER = (
    "the factor by which {b} needs more to reach the error of {a}; `inf` if it never does, 0 if with the least already"
)


def bounds_of_multiplier(b: str) -> dict[str, str]:
    """Return the columns that say which multipliers could be measured at all, and what they mean."""
    return {
        "multiplier_least": f"the least multiplier that could be seen: the smallest size of {b} over `at`",
        "multiplier_most": f"the greatest that could be seen: the largest size of {b} over `at`",
    }


class Multiplier(NamedTuple):
    """The factor of labels (or seconds, or parameters) that B needs to reach the error that A has at the size `at`.

    Attributes:
        at: size of A.
        value: factor. It is infinite if B did not reach the error at any of its sizes: the factor is then known to be
            more than `most`. It is 0 if B reached the error at its smallest size: then it is known to be less than
            `least`.
        low: lower end of the 95 % interval, infinite or 0 in the same sense; NaN if the interval is unknown.
        high: upper end of that interval, likewise.
        least: smallest factor that the sizes of B can show: its smallest size over `at`.
        most: largest factor that the sizes of B can show: its largest size over `at`.
    """

    at: float
    value: float
    low: float
    high: float
    least: float
    most: float


def multiplier(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats, at: float) -> Multiplier:
    """Find the factor of the size `at` at which B reaches the error that A has at that size.

    Errors between sizes are interpolated linearly in the logarithms of size and MAE.

    Args:
        a: curve of the model whose error is to be reached.
        b: curve of the model that is to reach it.
        draws_a: draws of A, `[D, K]`, from the same call of `draw_curves` as those of B.
        draws_b: draws of B, `[D, L]`.
        at: size of A, between its smallest and largest one.
    """
    factors = _factors(a, b, draws_a, draws_b, at)
    low, high = interval(factors[1:])
    return Multiplier(at, float(factors[0]), low, high, float(b.sizes[0] / at), float(b.sizes[-1] / at))


def signed_multiplier(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats, at: float) -> Multiplier:
    """Find the factor of labels that A saves against B, or below 1 what it costs: 1 over the factor that B saves.

    `multiplier` can tell no factor below the smallest size over `at`; this one tells as much on either side of 1.

    Args:
        a: curve of one model.
        b: curve of the other model.
        draws_a: draws of A, `[D, K]`, from the same call of `draw_curves` as those of B.
        draws_b: draws of B, `[D, L]`.
        at: size at which both errors are looked at, within both curves.

    Returns:
        The factor, between `least` (or 0 beyond it) and `most` (or infinity).
    """
    saved, cost = _factors(a, b, draws_a, draws_b, at), _factors(b, a, draws_b, draws_a, at)
    with np.errstate(divide="ignore"):
        factors = np.where(np.isnan(saved) | (saved >= 1), saved, 1 / cost)
    low, high = interval(factors[1:])
    return Multiplier(at, float(factors[0]), low, high, float(at / a.sizes[-1]), float(b.sizes[-1] / at))


def _factors(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats, at: float) -> Floats:
    """Return the factor of `at` at which B reaches the error of A, as measured and then for each draw, `[1 + D]`."""
    sizes_a, sizes_b = np.log(a.sizes), np.log(b.sizes)
    curves_a, curves_b = (
        np.concatenate([np.log(curve.maes)[None], draws]) for curve, draws in ((a, draws_a), (b, draws_b))
    )
    goal = _interpolate(sizes_a, curves_a, float(np.log(at)))
    factors = np.exp(first_reached(sizes_b, curves_b, goal) - np.log(at))
    factors[np.isnan(goal) | np.isnan(curves_b).any(1)] = np.nan  # NaN compares as out of reach
    return factors


def _interpolate(sizes: Floats, curves: Floats, at: float) -> Floats:
    right = int(np.clip(np.searchsorted(sizes, at), 1, len(sizes) - 1))
    share = (at - sizes[right - 1]) / (sizes[right] - sizes[right - 1])
    return (1 - share) * curves[:, right - 1] + share * curves[:, right]


def first_reached(sizes: Floats, curves: Floats, goal: Floats) -> Floats:
    """Return for each row the logarithm of the size at which its curve first falls to its goal.

    It is infinite if the curve never falls so far, and minus infinity if its first value is below the goal.

    Args:
        sizes: logarithms of the sizes, `[K]`.
        curves: logarithms of the MAEs, `[D, K]`.
        goal: logarithms of the MAEs to reach, `[D]`.
    """
    reached = curves <= goal[:, None]
    first = reached.argmax(1)
    right = np.maximum(first, 1)
    rows = np.arange(len(curves))
    before, after = curves[rows, right - 1], curves[rows, right]
    share = (before - goal) / np.where(before == after, 1.0, before - after)
    crossing = sizes[right - 1] + share * (sizes[right] - sizes[right - 1])
    starts_there = (first == 0) & (curves[:, 0] == goal)
    below = np.where(starts_there, sizes[0], -np.inf)
    return np.where(~reached.any(1), np.inf, np.where(first == 0, below, crossing))


class Bits(NamedTuple):
    """Bits per label that A saves against B, with the ends of the 95 % interval; negative where B saves."""

    value: float
    low: float
    high: float


def prequential_bits(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats) -> Bits:
    """Compare how many bits two models need to encode the labels, each label given the labels before it.

    A label whose error is Laplace-distributed with mean absolute error s costs log2(2 e s) bits (and a constant
    for its precision). The labels from size n_i to n_(i+1) are coded by the model trained on n_i: A saves
    log2(MAE_B / MAE_A) on each of them. This is prequential coding (Dawid 1984, J. R. Stat. Soc. A 147, 278; in
    blocks as by Blier & Ollivier 2018, arXiv:1802.07044), averaged over all labels after the first block, which both
    models are given. A model with half the MAE of the other at all sizes saves one bit per label.

    A class costs -log2 of the probability of the true class, so there A saves the difference of the log losses.

    Args:
        a: curve over labels of model A.
        b: curve over labels of model B, with the same sizes.
        draws_a: draws of A, `[D, K]`, from the same call of `draw_curves` as those of B.
        draws_b: draws of B, `[D, K]`.
    """
    assert np.array_equal(a.sizes, b.sizes)
    share = np.diff(a.sizes) / (a.sizes[-1] - a.sizes[0])
    if a.unit == NATS:
        value = (b.maes - a.maes)[:-1] @ share / np.log(2)
        draws = (np.exp(draws_b) - np.exp(draws_a))[:, :-1] @ share / np.log(2)
    else:
        value = (np.log2(b.maes) - np.log2(a.maes))[:-1] @ share
        draws = (draws_b - draws_a)[:, :-1] @ share / np.log(2)
    return Bits(float(value), *interval(draws))
