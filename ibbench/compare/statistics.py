"""Is a difference between two models real? Paired statistics over seeds and test molecules.

Two models that are compared were mostly trained with the same seeds (each seed gives both the same train subset) and
are measured on the same test molecules. Their difference of MAE would be another one with other seeds, and with other
test molecules. Seeds and molecules are crossed, so a two-way analysis of variance tells the two
apart (Clark 1973, The language-as-fixed-effect fallacy, J. Verbal Learn. Verbal Behav. 12, 335), see
`ibbench.compare.estimate`. A bootstrap over seeds is no alternative: with three seeds its percentile intervals are far
too narrow.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.distribution import Floats
from ibbench.compare.estimate import ALPHA, Estimate, centred_means, estimate, molecule_noise, welch_degrees

MIN_SEEDS_OF_SHARE = 6  # with fewer seeds the share of seeds that A won is not reported, see `Comparison.probability`
_ROUNDING = 1e-9  # relative difference of two MAEs that the order of a sum can cause


class Spread(NamedTuple):
    """How much an MAE would vary with other test molecules, for a table that does not hold the error of each molecule.

    Attributes:
        variance: variance of the MAE averaged over seeds, if test molecules were drawn anew; in the square of the
            target's unit.
        num_molecules: number of test molecules that it was estimated from.
    """

    variance: float
    num_molecules: int


class Sample(NamedTuple):
    """The test errors of one model on one target at one train size, in the target's unit.

    Attributes:
        seeds: seeds of the replicas, `[S]`.
        maes: test MAE of each replica, `[S]`.
        errors: absolute error of each replica on each test molecule, `[S, M]`; None where it is not known.
        stated: variance over molecules as a table states it; None where `errors` are known, or nothing is.
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
        """Whether there are several seeds and all have the same MAE, apart from rounding.

        This is so for baselines whose seeds all train on the whole pool. Their variance over seeds is 0, but this says
        nothing about other train sets, so it must not be used as a variance.
        """
        return len(self.maes) > 1 and float(np.ptp(self.maes)) <= _ROUNDING * self.mae

    def spread(self) -> Spread | None:
        """Return how much the MAE would vary with other test molecules; None if that is not known."""
        if self.errors is None:
            return self.stated
        return Spread(estimate(self.maes, self.errors).molecule_variance, self.errors.shape[1])

    def one_seed(self) -> "Sample":
        """Return a sample with the first seed only, for samples whose seeds are all the same."""
        errors = None if self.errors is None else self.errors[:1]
        return Sample(self.seeds[:1], self.maes[:1], errors, self.stated)

    def mae_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the MAE, in the target's unit; None if unknown.

        It is computed for the logarithm of the MAE, so that its lower end stays above 0.
        """
        if not (self.maes > 0).all():
            return None
        if self.is_constant:
            return self.one_seed().mae_interval()
        # d log(mean e) = d mean(e) / mean(e), so each molecule contributes e / mean(e) to the logarithm.
        parts = None if self.errors is None else self.errors / self.maes[:, None]
        found = estimate(np.log(self.maes), parts, scratch=parts)
        if self.errors is None and self.stated:
            found = found._replace(
                molecule_variance=self.stated.variance / self.mae**2, num_molecules=self.stated.num_molecules
            )
        interval = found.interval()
        return interval and (math.exp(interval[0]), math.exp(interval[1]))


class Comparison(NamedTuple):
    """Model A against model B: with a negative difference, or a ratio below 1, A has the lower error.

    Attributes:
        difference: MAE of A minus MAE of B, in the target's unit.
        log_ratio: natural logarithm of MAE of A over MAE of B, averaged over seeds; None where an MAE is 0, or the MAEs
            of single seeds are not known.
        wins: number of seeds on which A has the lower MAE; None if A and B do not have the same seeds.
        losses: number of seeds on which B has the lower MAE; None likewise.
        identical: whether both have the same MAE on each of the same seeds.
        basis: data that both models have: "predictions" (errors of molecules), "variances" (an MAE for each seed and
            the variance over molecules, but not whether the same molecules are hard for both), "seeds" (an MAE for
            each seed), or "deviations" (mean and standard deviation over seeds only).
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
        """Return MAE of A over MAE of B, with the lower and upper end of its 95 % interval.

        Returns:
            The geometric mean over seeds, and the ends of its interval, which are NaN if unknown; None without
            `log_ratio`.
        """
        if self.log_ratio is None:
            return None
        low, high = self.log_ratio.interval() or (math.nan, math.nan)
        return math.exp(self.log_ratio.value), math.exp(low), math.exp(high)

    def probability(self) -> tuple[float, float, float] | None:
        """Return the probability that A has the lower MAE on a new seed, with the ends of its 95 % interval.

        It is the share of seeds that A won; ties count half. The interval is that of Clopper and Pearson (1934,
        Biometrika 26, 404); its lower end counts ties as losses, its upper end counts them as wins.

        Returns:
            Share, lower end and upper end; None if A and B do not have the same seeds, or have fewer than
            `MIN_SEEDS_OF_SHARE`: then even a win on every seed could be chance.
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
    """Compare two models: seed by seed if both have the same seeds, and otherwise by their means over seeds.

    Where the errors of single molecules are not known for both models, but both variances over molecules are, these
    variances are added. This ignores that the same molecules tend to be hard for both, so it makes intervals wide
    rather than narrow. If neither model changes with its seeds, no variance over seeds is known, as with one seed.

    Args:
        a: test errors of model A.
        b: test errors of model B, on the same target and in the same unit.
    """
    if a.is_constant and b.is_constant:
        return _compare_constant(a, b)
    paired = a.seeds == b.seeds
    known = a.errors is not None and b.errors is not None and a.errors.shape[1] == b.errors.shape[1]
    errors = (a.errors, b.errors) if known else (None, None)
    logarithms = None
    if (a.maes > 0).all() and (b.maes > 0).all():
        # Contributions of molecules to the logarithm of an MAE, as in `Sample.mae_interval`.
        parts = [
            None if part is None else part / maes[:, None] for part, maes in zip(errors, (a.maes, b.maes), strict=True)
        ]
        logarithms = _difference(np.log(a.maes), np.log(b.maes), parts[0], parts[1], paired)
    difference = _difference(a.maes, b.maes, *errors, paired)
    spreads = None if known else _pair_if_known(a.spread(), b.spread())
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


def _pair_if_known(a: Spread | None, b: Spread | None) -> tuple[Spread, Spread] | None:
    return (a, b) if a and b else None


def _with_molecules(found: Estimate, spreads: tuple[Spread, Spread], scales: tuple[float, float]) -> Estimate:
    """Return the estimate of a difference of MAEs (or of their logarithms) with the variances over molecules of both.

    Args:
        found: estimate without a variance over molecules.
        spreads: variances over molecules of the MAEs of A and of B.
        scales: divisors of the MAEs of A and of B: 1 for the MAEs themselves, the MAEs for their logarithms.
    """
    variance = sum(spread.variance / scale**2 for spread, scale in zip(spreads, scales, strict=True))
    return found._replace(molecule_variance=variance, num_molecules=min(spread.num_molecules for spread in spreads))


def _compare_constant(a: Sample, b: Sample) -> Comparison:
    """Compare two models whose MAEs do not change with the seed: by their errors on molecules alone."""
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
    """Compare two models by the mean and standard deviation of their MAEs over seeds alone.

    This is Welch's test (Welch 1947, Biometrika 34, 28). It does not pair seeds, and counts no variance over molecules.

    Args:
        a: mean MAE, sample standard deviation over seeds, and number of seeds of model A; at least two seeds.
        b: the same figures of model B, in the same unit.
    """
    variance_a, variance_b = (std**2 / num_seeds for _, std, num_seeds in (a, b))
    degrees = welch_degrees(variance_a, variance_b, a[2], b[2])
    difference = Estimate(a[0] - b[0], variance_a + variance_b, 0.0, min(a[2], b[2]), degrees)
    return Comparison(difference, None, None, None, identical=False, basis="deviations")


def _difference(a: Floats, b: Floats, parts_a: Floats | None, parts_b: Floats | None, paired: bool) -> Estimate:
    """Estimate the mean of `a` minus the mean of `b`.

    Args:
        a: value of each seed of A, `[S]`.
        b: value of each seed of B, `[T]`; S = T if paired.
        parts_a: contribution of each molecule to the values of A, `[S, M]`; None if unknown.
        parts_b: contribution of each molecule to the values of B, `[T, M]`; None if unknown.
        paired: whether both have the same seeds.
    """
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
        # Both models are measured on the same molecules, also where their seeds differ.
        shared = estimate(np.zeros(1), (parts_a.mean(0) - parts_b.mean(0))[None]).molecule_variance
        noise_a, noise_b = (molecule_noise(parts, centred_means(parts)) for parts in (parts_a, parts_b))
        molecule_variance = max(0.0, shared - noise_a - noise_b)
    num_molecules = 0 if parts_a is None else parts_a.shape[1]
    return Estimate(
        one.value - other.value, seed_variance, molecule_variance, min(len(a), len(b)), degrees, num_molecules
    )
