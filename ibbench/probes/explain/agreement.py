"""Do attention and occlusion agree? Rank correlations over the atoms of molecules."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from ibbench.compare.estimate import Estimate, estimate
from ibbench.probes.explain.look import Floats, Look

FEWEST = 3  # atoms of a molecule of which an order says something
_DIGITS = 5  # of the largest figure: those of equal atoms differ by rounding, and are to tie
ATTENTION = "attention and occlusion"
BONDS = "number of bonds and occlusion"
OCCLUSION_OF_SEEDS = "occlusion of two seeds"
ATTENTION_OF_SEEDS = "attention of two seeds"


class Agreement(NamedTuple):
    """How well two orders of the atoms of a molecule agree, mean over seeds and molecules.

    Attributes:
        quantity: which two.
        estimate: Spearman's rank correlation, with its variance over seeds and molecules; of two seeds over molecules
            alone.
        num_molecules: that it is the mean of.
        num_without: those that say nothing: fewer than three atoms, or all of them alike.
    """

    quantity: str
    estimate: Estimate
    num_molecules: int
    num_without: int

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval, as far as there are such correlations; None where no variance is known."""
        found = self.estimate.interval()
        return found and (max(-1.0, found[0]), min(1.0, found[1]))


def rank_correlation(a: Floats, b: Floats) -> float:
    """Return Spearman's rank correlation of two figures of the same atoms, ties with their mean rank.

    Args:
        a: one figure of each atom, `[N]`; NaN where there is no atom.
        b: the other.

    Returns:
        NaN where there are fewer than three atoms, or all have the same figure.
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
    """Compare the attention that atoms get with the size of what hiding them changes, and both with themselves.

    What two seeds of a model have in common, and what a number has that needs no model, say what an agreement of
    attention and occlusion is worth.

    Args:
        found: what a model with attention looks at; of one without it only occlusion is compared.
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
    """Return the rank correlation of `[S, m, N]` and `[S, m, N]`, `[S, m]`."""
    rows = [[rank_correlation(*both) for both in zip(*of_seed, strict=True)] for of_seed in zip(a, b, strict=True)]
    return np.array(rows)


def _average(quantity: str, values: Floats, are_pairs: bool = False) -> Iterator[Agreement]:
    """Average over seeds and molecules, `[S, m]`; pairs of seeds are no samples of their own, so they count as one."""
    known = np.isfinite(values).all(0)
    if not known.any():
        return
    kept = values[:, known].mean(0, keepdims=True) if are_pairs else values[:, known]
    found = estimate(kept.mean(1), kept if kept.shape[1] > 1 else None)
    yield Agreement(quantity, found, int(known.sum()), int((~known).sum()))
