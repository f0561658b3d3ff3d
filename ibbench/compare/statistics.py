"""Is a difference between two models real? Paired statistics over seeds and test molecules.

Two models that are compared were mostly trained on the same seeds (each seed gives both the same train subset) and
are measured on the same test molecules. Their difference of MAE varies with both: another seed and other test molecules
would have given another figure. Seeds and molecules are crossed, so a two-way analysis of variance tells the two
apart (Clark 1973, The language-as-fixed-effect fallacy, J. Verbal Learn. Verbal Behav. 12, 335), see
`ibbench.compare.estimate`. Resampling seeds is no way out: with three of them a percentile bootstrap is far too narrow.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.distribution import Floats
from ibbench.compare.estimate import ALPHA, Estimate, centred_means, estimate, molecule_noise, welch_degrees

MIN_SEEDS_OF_SHARE = 6
_ROUNDING = 1e-9  # relative: MAEs that differ by less differ in the order of a sum only


class Spread(NamedTuple):
    """How far test molecules move an MAE, where the error of each is not known, as in a table.

    Attributes:
        variance: of the MAE, averaged over seeds, for test molecules drawn anew; in the square of the target's unit.
        num_molecules: number of test molecules that it was estimated from.
    """

    variance: float
    num_molecules: int


class Sample(NamedTuple):
    """The test errors of one model on one target at one train size, in the target's unit.

    Attributes:
        seeds: of the replicas, `[S]`.
        maes: of each replica, `[S]`.
        errors: absolute error of each replica on each test molecule, `[S, M]`; None where that is not known.
        stated: what a table says of the variance over molecules; None where there are errors, or nothing is known.
    """

    seeds: tuple[int, ...]
    maes: Floats
    errors: Floats | None
    stated: Spread | None = None

    @property
    def mae(self) -> float:
        """The MAE, averaged over seeds."""
        return float(self.maes.mean())

    @property
    def mae_std(self) -> float | None:
        """The sample standard deviation of the MAE over seeds; None with one seed."""
        return float(self.maes.std(ddof=1)) if len(self.maes) > 1 else None

    @property
    def is_constant(self) -> bool:
        """Whether all of several seeds have the same MAE, but for rounding.

        So have baselines whose seeds all train on the whole pool. It tells nothing of other train sets, and a
        variance over seeds of 0 must not be taken for knowledge.
        """
        return len(self.maes) > 1 and float(np.ptp(self.maes)) <= _ROUNDING * self.mae

    def spread(self) -> Spread | None:
        """Return how far test molecules move the MAE; None if that is not known."""
        if self.errors is None:
            return self.stated
        return Spread(estimate(self.maes, self.errors).molecule_variance, self.errors.shape[1])

    def one_seed(self) -> "Sample":
        """Return what is known where all seeds are the same: one of them."""
        errors = None if self.errors is None else self.errors[:1]
        return Sample(self.seeds[:1], self.maes[:1], errors, self.stated)

    def mae_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the MAE, taken on the logarithm so that it stays above 0; None if unknown."""
        if not (self.maes > 0).all():
            return None
        if self.is_constant:
            return self.one_seed().mae_interval()
        # d log(mean e) = d mean(e) / mean(e): what each molecule adds to the logarithm.
        parts = None if self.errors is None else self.errors / self.maes[:, None]
        found = estimate(np.log(self.maes), parts, scratch=parts)
        if self.errors is None and self.stated:
            found = found._replace(
                molecule_variance=self.stated.variance / self.mae**2, num_molecules=self.stated.num_molecules
            )
        interval = found.interval()
        return interval and (math.exp(interval[0]), math.exp(interval[1]))


class Comparison(NamedTuple):
    """Model A against model B: negative differences and ratios below 1 speak for A.

    Attributes:
        difference: MAE of A minus MAE of B, in the target's unit.
        log_ratio: of the MAEs, averaged over seeds; None where an MAE is 0 or the seeds are not known one by one.
        wins: of the seeds that both have, on how many A has the lower MAE, and `losses` B; None if not paired.
        losses: see `wins`.
        identical: whether both have the same MAE on the same seeds.
        basis: what is known of both: "predictions" (errors of molecules), "variances" (an MAE for each seed and the
            variance over molecules, but not whether the same molecules are hard for both), "seeds" (an MAE for
            each), or "deviations" (their mean and standard deviation only).
    """

    difference: Estimate
    log_ratio: Estimate | None
    wins: int | None
    losses: int | None
    identical: bool
    basis: str

    def reversed(self) -> "Comparison":
        """Return B against A."""
        return self._replace(
            difference=self.difference.negated(),
            log_ratio=self.log_ratio and self.log_ratio.negated(),
            wins=self.losses,
            losses=self.wins,
        )

    def ratio(self) -> tuple[float, float, float] | None:
        """Return MAE of A over MAE of B, as the geometric mean over seeds, with its interval (nan if unknown)."""
        if self.log_ratio is None:
            return None
        low, high = self.log_ratio.interval() or (math.nan, math.nan)
        return math.exp(self.log_ratio.value), math.exp(low), math.exp(high)

    def probability(self) -> tuple[float, float, float] | None:
        """Return P(A < B) on a new seed: the share of seeds that A won, ties counted half; None if not paired.

        Its interval is that of Clopper and Pearson, with ties counted against whichever end it is. None below
        `MIN_SEEDS_OF_SHARE` seeds, where even an A that won on all of them could not be told from chance.
        """
        if self.wins is None or self.losses is None or self.difference.num_seeds < MIN_SEEDS_OF_SHARE:
            return None
        return _proportion(self.wins, self.difference.num_seeds - self.wins - self.losses, self.difference.num_seeds)


@functools.cache
def _proportion(wins: int, ties: int, total: int) -> tuple[float, float, float]:
    low = special.betaincinv(wins, total - wins + 1, ALPHA / 2) if wins else 0.0
    most = wins + ties
    high = special.betaincinv(most + 1, total - most, 1 - ALPHA / 2) if most < total else 1.0
    return (wins + ties / 2) / total, float(low), float(high)


def compare(a: Sample, b: Sample) -> Comparison:
    """Compare two models: seed by seed if both have the same seeds, and otherwise all of one with all of the other.

    Where errors of molecules are known of neither or one side, but its variance over molecules is, the two variances
    are added: as if other molecules were hard for the one than for the other, which makes intervals wide rather than
    narrow. Of two models whose seeds are all the same, no variance over seeds is known, as with one seed.
    """
    if a.is_constant and b.is_constant:
        return _compare_constant(a, b)
    paired = a.seeds == b.seeds
    known = a.errors is not None and b.errors is not None and a.errors.shape[1] == b.errors.shape[1]
    errors = (a.errors, b.errors) if known else (None, None)
    logarithms = None
    if (a.maes > 0).all() and (b.maes > 0).all():
        # As in `Sample.mae_interval`, of the logarithm of the ratio.
        parts = [
            None if part is None else part / maes[:, None] for part, maes in zip(errors, (a.maes, b.maes), strict=True)
        ]
        logarithms = _difference(np.log(a.maes), np.log(b.maes), parts[0], parts[1], paired)
    difference = _difference(a.maes, b.maes, *errors, paired)
    spreads = None if known else _both(a.spread(), b.spread())
    if spreads:
        difference = _with_molecules(difference, spreads, (1.0, 1.0))
        logarithms = logarithms and _with_molecules(logarithms, spreads, (a.mae, b.mae))
    return Comparison(
        difference=difference,
        log_ratio=logarithms,
        wins=int((a.maes < b.maes).sum()) if paired else None,
        losses=int((a.maes > b.maes).sum()) if paired else None,
        identical=paired and bool((a.maes == b.maes).all()),
        basis="predictions" if known else "variances" if spreads else "seeds",
    )


def _both(a: Spread | None, b: Spread | None) -> tuple[Spread, Spread] | None:
    return (a, b) if a and b else None


def _with_molecules(found: Estimate, spreads: tuple[Spread, Spread], scales: tuple[float, float]) -> Estimate:
    """Add the variances over molecules of two MAEs, each relative to its scale, to the estimate of their difference."""
    variance = sum(spread.variance / scale**2 for spread, scale in zip(spreads, scales, strict=True))
    return found._replace(molecule_variance=variance, num_molecules=min(spread.num_molecules for spread in spreads))


def _compare_constant(a: Sample, b: Sample) -> Comparison:
    """Compare two models whose MAE no seed changes: over molecules alone."""
    one, other = a.one_seed(), b.one_seed()
    found = compare(one, other._replace(seeds=one.seeds))
    num_seeds = min(len(a.seeds), len(b.seeds))
    return found._replace(
        difference=found.difference._replace(num_seeds=num_seeds),
        log_ratio=found.log_ratio and found.log_ratio._replace(num_seeds=num_seeds),
        wins=None,
        losses=None,
        identical=abs(a.mae - b.mae) <= _ROUNDING * b.mae,
    )


def compare_summaries(a: tuple[float, float, int], b: tuple[float, float, int]) -> Comparison:
    """Compare two models of which mean, standard deviation and number of seeds are all that is known.

    This is Welch's test, the seeds not being paired; molecules are not counted.
    """
    variance_a, variance_b = (std**2 / num_seeds for _, std, num_seeds in (a, b))
    degrees = welch_degrees(variance_a, variance_b, a[2], b[2])
    difference = Estimate(a[0] - b[0], variance_a + variance_b, 0.0, min(a[2], b[2]), degrees)
    return Comparison(difference, None, None, None, identical=False, basis="deviations")


def _difference(a: Floats, b: Floats, parts_a: Floats | None, parts_b: Floats | None, paired: bool) -> Estimate:
    """Estimate the mean of `a` `[S]` minus that of `b` `[T]`; what each molecule adds to them is in the parts."""
    if paired:
        parts = None if parts_a is None or parts_b is None else parts_a - parts_b
        return estimate(a - b, parts, scratch=parts)
    one, other = estimate(a, parts_a), estimate(b, parts_b)
    seed_variance, degrees = None, 1.0
    if one.seed_variance is not None and other.seed_variance is not None:
        seed_variance = one.seed_variance + other.seed_variance
        degrees = welch_degrees(one.seed_variance, other.seed_variance, len(a), len(b))
    molecule_variance = 0.0
    if parts_a is not None and parts_b is not None:
        # The molecules are the same on both sides, whichever the seeds.
        shared = estimate(np.zeros(1), (parts_a.mean(0) - parts_b.mean(0))[None]).molecule_variance
        noise_a, noise_b = (molecule_noise(parts, centred_means(parts)) for parts in (parts_a, parts_b))
        molecule_variance = max(0.0, shared - noise_a - noise_b)
    num_molecules = 0 if parts_a is None else parts_a.shape[1]
    return Estimate(
        one.value - other.value, seed_variance, molecule_variance, min(len(a), len(b)), degrees, num_molecules
    )
