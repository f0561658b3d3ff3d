"""Is a difference between two models real? Paired statistics over seeds and test molecules.

Two models that are compared were mostly trained on the same seeds (each seed gives both the same train subset) and
are measured on the same test molecules. Their difference of MAE varies with both: another seed and other test molecules
would have given another figure. Seeds and molecules are crossed, so a two-way analysis of variance tells the two
apart (Clark 1973, The language-as-fixed-effect fallacy, J. Verbal Learn. Verbal Behav. 12, 335). The few seeds enter
through Student's t, the many molecules through a normal distribution, and the two add up as independent
(Fisher-Behrens). Resampling seeds is no way out: with three of them a percentile bootstrap is far too narrow.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

ALPHA = 0.05  # of every test, after Holm's correction; intervals are at 1 - ALPHA
MIN_SEEDS_OF_SHARE = 6
_NEARLY_NORMAL = 200  # degrees of freedom from which on Student's t is taken as normal

Floats = NDArray[np.float64]


class Sample(NamedTuple):
    """The test errors of one model on one target at one train size, in the target's unit.

    Attributes:
        seeds: of the replicas, `[S]`.
        maes: of each replica, `[S]`.
        errors: absolute error of each replica on each test molecule, `[S, M]`; None where that is not known.
    """

    seeds: tuple[int, ...]
    maes: Floats
    errors: Floats | None

    @property
    def mae(self) -> float:
        """The MAE, averaged over seeds."""
        return float(self.maes.mean())

    @property
    def mae_std(self) -> float | None:
        """The sample standard deviation of the MAE over seeds; None with one seed."""
        return float(self.maes.std(ddof=1)) if len(self.maes) > 1 else None

    def mae_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the MAE, taken on the logarithm so that it stays above 0; None if unknown."""
        if not (self.maes > 0).all():
            return None
        # d log(mean e) = d mean(e) / mean(e): what each molecule adds to the logarithm.
        parts = None if self.errors is None else self.errors / self.maes[:, None]
        interval = estimate(np.log(self.maes), parts, scratch=parts).interval()
        return interval and (math.exp(interval[0]), math.exp(interval[1]))


class Estimate(NamedTuple):
    """A mean over seeds and molecules, and how far it would vary.

    Attributes:
        value: the mean.
        seed_variance: of the mean, for seeds drawn anew; None with one seed.
        molecule_variance: of the mean, for test molecules drawn anew; 0 where errors of molecules are not known.
        num_seeds: how many seeds there were, the smaller number of two.
        degrees: degrees of freedom that `seed_variance` was estimated with.
        num_molecules: number of test molecules that `molecule_variance` was estimated from; 0 for very many.
    """

    value: float
    seed_variance: float | None
    molecule_variance: float
    num_seeds: int
    degrees: float
    num_molecules: int = 0

    @property
    def is_known(self) -> bool:
        """Whether there is any variance to judge the value by; one of 0 comes from what no seed can change."""
        return (self.seed_variance or 0.0) + self.molecule_variance > 0

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval; with one seed it covers other test molecules only; None if nothing is known."""
        if not self.is_known:
            return None
        half = self.margin(ALPHA)
        return self.value - half, self.value + half

    def margin(self, alpha: float) -> float:
        """Return by how much an estimate errs with probability `alpha`."""
        variances = self.seed_variance or 0.0, self.molecule_variance
        return quantile(alpha, *variances, self.degrees, self.num_molecules)

    def p_value(self) -> float | None:
        """Return the two-sided p-value of the hypothesis that the true mean is 0; None where nothing can be tested.

        That is so with one seed, and where no variance is known.
        """
        if self.seed_variance is None or not self.is_known:
            return None
        variances = self.seed_variance, self.molecule_variance
        return 2 * survival(abs(self.value), *variances, self.degrees, self.num_molecules)

    def negated(self) -> "Estimate":
        """Return the estimate of the negative."""
        return self._replace(value=-self.value)


class Comparison(NamedTuple):
    """Model A against model B: negative differences and ratios below 1 speak for A.

    Attributes:
        difference: MAE of A minus MAE of B, in the target's unit.
        log_ratio: of the MAEs, averaged over seeds; None where an MAE is 0 or the seeds are not known one by one.
        wins: of the seeds that both have, on how many A has the lower MAE, and `losses` B; None if not paired.
        losses: see `wins`.
        identical: whether both have the same MAE on the same seeds.
        basis: what is known of both: "predictions" (errors of molecules), "seeds" (an MAE for each), or
            "deviations" (their mean and standard deviation only).
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
    """Compare two models: seed by seed if both have the same seeds, and otherwise all of one with all of the other."""
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
    return Comparison(
        difference=_difference(a.maes, b.maes, *errors, paired),
        log_ratio=logarithms,
        wins=int((a.maes < b.maes).sum()) if paired else None,
        losses=int((a.maes > b.maes).sum()) if paired else None,
        identical=paired and bool((a.maes == b.maes).all()),
        basis="predictions" if known else "seeds",
    )


def compare_summaries(a: tuple[float, float, int], b: tuple[float, float, int]) -> Comparison:
    """Compare two models of which mean, standard deviation and number of seeds are all that is known.

    This is Welch's test (Welch 1947, Biometrika 34, 28), the seeds not being paired.
    """
    variance_a, variance_b = (std**2 / num_seeds for _, std, num_seeds in (a, b))
    degrees = _welch_degrees(variance_a, variance_b, a[2], b[2])
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
        degrees = _welch_degrees(one.seed_variance, other.seed_variance, len(a), len(b))
    molecule_variance = 0.0
    if parts_a is not None and parts_b is not None:
        # The molecules are the same on both sides, whichever the seeds.
        shared = estimate(np.zeros(1), (parts_a.mean(0) - parts_b.mean(0))[None]).molecule_variance
        noise_a, noise_b = (_molecule_noise(parts, _centred_means(parts)) for parts in (parts_a, parts_b))
        molecule_variance = max(0.0, shared - noise_a - noise_b)
    num_molecules = 0 if parts_a is None else parts_a.shape[1]
    return Estimate(
        one.value - other.value, seed_variance, molecule_variance, min(len(a), len(b)), degrees, num_molecules
    )


def _welch_degrees(variance_a: float, variance_b: float, num_a: int, num_b: int) -> float:
    larger = max(variance_a, variance_b)
    if not larger > 0:
        return 1.0
    a, b = variance_a / larger, variance_b / larger  # their squares would leave the range of floats at 1e-90
    return (a + b) ** 2 / (a**2 / (num_a - 1) + b**2 / (num_b - 1))


def estimate(values: Floats, parts: Floats | None, scratch: Floats | None = None) -> Estimate:
    """Estimate a mean over seeds and molecules, with the variance that each of them gives it.

    Args:
        values: one for each seed, `[S]`.
        parts: what each molecule contributes to them, `[S, M]`, up to a constant for each seed; or None.
        scratch: to be overwritten, `[S, M]`, such as the parts themselves: a new array takes longer than its figures.
    """
    num_seeds = len(values)
    seed_variance = float(values.var(ddof=1)) / num_seeds if num_seeds > 1 else None
    molecule_variance = 0.0
    if parts is not None and parts.shape[1] > 1:
        centred = _centred_means(parts)
        spread = float(np.square(centred).sum() / (parts.shape[1] - 1)) / parts.shape[1]
        # What differs from seed to seed within a molecule is in the seeds' variance already.
        molecule_variance = max(0.0, spread - _molecule_noise(parts, centred, scratch))
    num_molecules = 0 if parts is None else parts.shape[1]
    degrees = max(1, num_seeds - 1)
    return Estimate(float(values.mean()), seed_variance, molecule_variance, num_seeds, degrees, num_molecules)


def _centred_means(parts: Floats) -> Floats:
    """Return the mean over seeds of each molecule, `[S, M]` to `[M]`, less the mean of all."""
    means = parts.mean(0)
    return means - means.mean()


def _molecule_noise(parts: Floats, centred: Floats, scratch: Floats | None = None) -> float:
    """Return the part of the variance over molecules of a mean over seeds, `[S, M]`, that the seeds brought in."""
    num_seeds, num_molecules = parts.shape
    if num_seeds == 1 or num_molecules == 1:
        return 0.0
    residual = np.subtract(parts, parts.mean(1, keepdims=True), out=scratch)
    residual -= centred
    squares = np.square(residual, out=residual)
    return float(squares.sum()) / ((num_seeds - 1) * (num_molecules - 1)) / num_seeds / num_molecules


@functools.lru_cache(maxsize=1000)
def _mixture(degrees: float) -> tuple[Floats, Floats]:
    """Return nodes and weights for chi-square over its degrees of freedom, on a logarithmic grid."""
    width = 8 * math.sqrt(2 / degrees)  # the deviation of the logarithm, when it is nearly normal
    logarithms = np.linspace(-max(width, 80 / degrees), min(width, 5), 300)
    scale = np.exp(logarithms)
    weights = np.exp(degrees / 2 * (logarithms - scale + 1))  # the density of the logarithm, up to a factor
    return scale, weights / weights.sum()


def _normals(
    seed_variance: float, molecule_variance: float, degrees: float, num_molecules: int
) -> tuple[Floats, Floats]:
    """Return the standard deviations and weights of the normal distributions whose mixture T is, see `survival`."""
    scale, weights = _mixture(degrees) if seed_variance > 0 else (np.ones(1), np.ones(1))
    if not molecule_variance or not 0 < num_molecules - 1 < _NEARLY_NORMAL:
        return np.sqrt(seed_variance / scale + molecule_variance), weights
    others, other_weights = (part[::3] for part in _mixture(num_molecules - 1))  # coarser: there are nodes of both
    spread = np.sqrt(seed_variance / scale[:, None] + molecule_variance / others)
    return spread.ravel(), np.outer(weights, other_weights / other_weights.sum()).ravel()


def survival(
    value: float, seed_variance: float, molecule_variance: float, degrees: float, num_molecules: int = 0
) -> float:
    """Return P(T > value) of T = sqrt(seed variance) t + sqrt(molecule variance) u.

    t is Student's with `degrees` of freedom; u is Student's with `num_molecules` - 1, and normal where these are many
    (or 0, for unknown). Student's t is a normal variable over the root of a chi-square one, so T is a mixture of
    normals, summed here.
    """
    if seed_variance + molecule_variance <= 0:
        return 0.5 if value == 0 else float(value < 0)
    spread, weights = _normals(seed_variance, molecule_variance, degrees, num_molecules)
    return float(weights @ special.ndtr(-value / spread))


@functools.lru_cache(maxsize=20_000)  # the same comparison is asked for by the table, the pairs, and both its rows
def quantile(
    alpha: float, seed_variance: float, molecule_variance: float, degrees: float, num_molecules: int = 0
) -> float:
    """Return the value that |T| of `survival` exceeds with probability `alpha`."""
    unit = math.sqrt(seed_variance + molecule_variance)
    if unit <= 0:
        return 0.0
    a, b = seed_variance / unit**2, molecule_variance / unit**2
    spread, weights = _normals(a, b, degrees, num_molecules)
    if len(spread) == 1:
        return -unit * float(spread[0] * special.ndtri(alpha / 2))

    def excess(value: float) -> float:
        return 2 * float(weights @ special.ndtr(-value / spread)) - alpha

    # Between what it is if it were normal, and if all came from the part of the fewest degrees of freedom.
    fewest = [degrees] * (a > 0) + [num_molecules - 1] * (b > 0 and num_molecules > 1)
    low, high = -0.99 * float(special.ndtri(alpha / 2)), -1.05 * float(special.stdtrit(min(fewest), alpha / 2))
    return unit * float(optimize.brentq(excess, low, high, xtol=1e-5, rtol=1e-5))
