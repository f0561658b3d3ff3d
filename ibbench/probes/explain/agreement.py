"""Do attention and occlusion agree? Rank correlations over the atoms of molecules."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from ibbench.compare.estimate import Estimate, estimate
from ibbench.probes.explain.look import Floats, Look

FEWEST = 3  # atoms that a molecule needs at least for a rank correlation
_DIGITS = 5  # decimals of a figure over the largest: figures of equal atoms differ by rounding, and are to tie
ATTENTION = "attention and occlusion"
BONDS = "number of bonds and occlusion"
OCCLUSION_OF_SEEDS = "occlusion of two seeds"
ATTENTION_OF_SEEDS = "attention of two seeds"


class Agreement(NamedTuple):
    """How well two orders of the atoms of a molecule agree, as a mean over seeds and molecules.

    Attributes:
        quantity: the two figures of atoms whose orders are compared, in words.
        estimate: Spearman's rank correlation with its variance over seeds and molecules, or, where two seeds are
            compared, over molecules alone.
        num_molecules: number of molecules that the correlation is averaged over.
        num_without: number of molecules left out, since they have fewer than three atoms, or all atoms alike.
    """

    quantity: str
    estimate: Estimate
    num_molecules: int
    num_without: int

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval, cut to -1 and 1; None if the variance is not known."""
        found = self.estimate.interval()
        return found and (max(-1.0, found[0]), min(1.0, found[1]))


def rank_correlation(a: Floats, b: Floats) -> float:
    """Return Spearman's rank correlation of two figures of the same atoms; ties have their mean rank.

    Args:
        a: the first figure of each atom, `[N]`; NaN where there is no atom.
        b: the second figure of each atom, `[N]`.

    Returns:
        The correlation; NaN if there are fewer than three atoms, or one of the figures is the same for all atoms.
    """
    there = np.isfinite(a) & np.isfinite(b)
    if there.sum() < FEWEST:
        return np.nan
    ranks = [stats.rankdata(_settle(values[there])) for values in (a, b)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return np.nan
    return float(np.corrcoef(ranks)[0, 1])


def _settle(values: Floats) -> Floats:
    largest = np.abs(values).max()
    return np.round(values / largest, _DIGITS) if largest > 0 else values


def agree(found: Look) -> Iterator[Agreement]:
    """Compare the orders of atoms by attention, by the size of their occlusion, and by their number of bonds.

    Two comparisons serve as a scale for the agreement of attention and occlusion: that of two seeds of the same model,
    and that of occlusion with the number of bonds, which needs no model.

    Args:
        found: occlusion and attention of one model; of a model without attention only occlusion is compared.

    Yields:
        The agreement of each pair of orders, except where no molecule has a rank correlation.
    """
    size = np.abs(found.change)
    if found.attention is not None:
        yield from _average(ATTENTION, _correlate(found.attention, size))
    yield from _average(BONDS, _correlate(np.broadcast_to(found.num_bonds.astype(float), size.shape), size))
    pairs = list(itertools.combinations(range(len(found.seeds)), 2))
    if pairs:
        first, second = (list(rows) for rows in zip(*pairs, strict=True))
        yield from _average(OCCLUSION_OF_SEEDS, _correlate(size[first], size[second]), True)
        if found.attention is not None:
            of_seeds = _correlate(found.attention[first], found.attention[second])
            yield from _average(ATTENTION_OF_SEEDS, of_seeds, True)


def _correlate(a: Floats, b: Floats) -> Floats:
    """Return the rank correlation over the atoms of two figures `[S, m, N]`, for each seed and molecule, `[S, m]`."""
    rows = [[rank_correlation(*both) for both in zip(*of_seed, strict=True)] for of_seed in zip(a, b, strict=True)]
    return np.array(rows)


def _average(quantity: str, values: Floats, are_pairs: bool = False) -> Iterator[Agreement]:
    """Average correlations `[S, m]` over seeds and molecules.

    If S counts pairs of seeds, these are not independent of each other: then their mean is used as a single sample.
    """
    known = np.isfinite(values).all(0)
    if not known.any():
        return
    kept = values[:, known].mean(0, keepdims=True) if are_pairs else values[:, known]
    found = estimate(kept.mean(1), kept if kept.shape[1] > 1 else None)
    yield Agreement(quantity, found, int(known.sum()), int((~known).sum()))
