"""What one model saves against another: labels to reach the same error, and bits a label."""

from typing import NamedTuple

import numpy as np

from ibbench.worth.curves import Curve, Floats, interval


class Multiplier(NamedTuple):
    """The factor of labels (or seconds, or parameters) that B needs to reach the error that A has at `at`.

    The ends of its interval are nan where nothing is known of how much it varies.

    Infinite where B never reached it, and 0 where B's smallest size had reached it already: then the factor is only
    known to be more than `most`, or less than `least`, which the sizes that were trained bound.
    """

    at: float
    value: float
    low: float
    high: float
    least: float
    most: float


def multiplier(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats, at: float) -> Multiplier:
    """Find by how much B must grow to reach A's error, between sizes by interpolation in log-log.

    Args:
        a: the model whose error at `at`, within its sizes, is the goal.
        b: the model that is to reach it.
        draws_a: draws of A, of the same `draw_curves` as those of B, `[D, K]`.
        draws_b: draws of B.
        at: a size.
    """
    sizes_a, sizes_b = np.log(a.sizes), np.log(b.sizes)
    curves_a, curves_b = (
        np.concatenate([np.log(curve.maes)[None], draws]) for curve, draws in ((a, draws_a), (b, draws_b))
    )
    goal = _interpolate(sizes_a, curves_a, float(np.log(at)))
    factors = np.exp(_first_reached(sizes_b, curves_b, goal) - np.log(at))
    factors[np.isnan(goal) | np.isnan(curves_b).any(1)] = np.nan  # comparisons took it for a goal out of reach
    low, high = interval(factors[1:])
    return Multiplier(at, float(factors[0]), low, high, float(b.sizes[0] / at), float(b.sizes[-1] / at))


def _interpolate(sizes: Floats, curves: Floats, at: float) -> Floats:
    right = int(np.clip(np.searchsorted(sizes, at), 1, len(sizes) - 1))
    share = (at - sizes[right - 1]) / (sizes[right] - sizes[right - 1])
    return (1 - share) * curves[:, right - 1] + share * curves[:, right]


def _first_reached(sizes: Floats, curves: Floats, goal: Floats) -> Floats:
    """Return for each row where its curve first comes down to its goal: inf if nowhere, -inf if before its start."""
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
    """How many bits a label A saves against B, with its 95 % interval; negative where B saves."""

    value: float
    low: float
    high: float


def prequential_bits(a: Curve, b: Curve, draws_a: Floats, draws_b: Floats) -> Bits:
    """Compare the lengths of the codes that two models give the labels, each coded by what was learned before it.

    A label whose error is Laplace-distributed with mean absolute error s costs log2(2 e s) bits (and a constant
    for its precision). The labels from size n_i to n_(i+1) are coded by the model trained on n_i: A saves
    log2(MAE_B / MAE_A) on each of them. This is prequential coding (Dawid 1984, J. R. Stat. Soc. A 147, 278; in
    blocks as by Blier & Ollivier 2018, arXiv:1802.07044), averaged over all labels after the first block, which both
    models are given. Half the MAE is one bit a label.

    Args:
        a: a model, its sizes those of B.
        b: another.
        draws_a: draws of A, of the same `draw_curves` as those of B, `[D, K]`.
        draws_b: draws of B.
    """
    assert np.array_equal(a.sizes, b.sizes)
    share = np.diff(a.sizes) / (a.sizes[-1] - a.sizes[0])
    value = (np.log2(b.maes) - np.log2(a.maes))[:-1] @ share
    draws = (draws_b - draws_a)[:, :-1] @ share / np.log(2)
    return Bits(float(value), *interval(draws))
