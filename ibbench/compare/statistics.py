"""Is a difference between two models real? Paired statistics over seeds and test molecules.

Two models that are compared were trained on the same seeds (each seed gives both the same train subset) and are
measured on the same test molecules. Their difference of MAE varies with both: another seed and other test molecules
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
from scipy import optimize, special, stats

ALPHA = 0.05  # of every test, after Holm's correction; intervals are at 1 - ALPHA
POWER = 0.8  # with which `more_seeds` would find the difference
MOST_SEEDS = 1000

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

    def mae_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the MAE, taken on the logarithm so that it stays above 0; None if unknown."""
        if not (self.maes > 0).all():
            return None
        # d log(mean e) = d mean(e) / mean(e): what each molecule adds to the logarithm.
        parts = None if self.errors is None else self.errors / self.maes[:, None]
        interval = estimate(np.log(self.maes), parts).interval()
        return interval and (math.exp(interval[0]), math.exp(interval[1]))


class Estimate(NamedTuple):
    """A mean over seeds and molecules, and how far it would vary.

    Attributes:
        value: the mean.
        seed_variance: of the mean, for seeds drawn anew; None with one seed.
        molecule_variance: of the mean, for test molecules drawn anew; 0 where errors of molecules are not known.
        num_seeds: how many seeds there were.
    """

    value: float
    seed_variance: float | None
    molecule_variance: float
    num_seeds: int

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval; with one seed it covers other test molecules only; None if nothing is known."""
        if self.seed_variance is None and not self.molecule_variance:
            return None
        half = quantile(ALPHA, self.seed_variance or 0.0, self.molecule_variance, self.num_seeds)
        return self.value - half, self.value + half

    def p_value(self) -> float | None:
        """Return the two-sided p-value of the hypothesis that the true mean is 0; None with one seed."""
        if self.seed_variance is None:
            return None
        return 2 * survival(abs(self.value), self.seed_variance, self.molecule_variance, self.num_seeds)

    def negated(self) -> "Estimate":
        """Return the estimate of the negative."""
        return self._replace(value=-self.value)


class Comparison(NamedTuple):
    """Model A against model B: negative differences and ratios below 1 speak for A.

    Attributes:
        difference: MAE of A minus MAE of B, in the target's unit.
        log_ratio: of the MAEs, averaged over seeds; None where an MAE is 0.
        wins: on how many seeds A has the lower MAE, and `losses` B; equal MAEs count for neither.
        identical: whether the MAEs are the same on every seed.
        basis: "predictions" when the errors of molecules entered, "seeds" when only MAEs did.
    """

    difference: Estimate
    log_ratio: Estimate | None
    wins: int
    losses: int
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
        """Return MAE of A over MAE of B with its interval (nan where that is unknown)."""
        if self.log_ratio is None:
            return None
        low, high = self.log_ratio.interval() or (math.nan, math.nan)
        return math.exp(self.log_ratio.value), math.exp(low), math.exp(high)

    def probability(self) -> tuple[float, float, float]:
        """Return P(A < B) on a new seed: the share of seeds that A won, with its Clopper-Pearson interval."""
        return _proportion(self.wins, self.wins + self.losses)


@functools.cache
def _proportion(wins: int, decided: int) -> tuple[float, float, float]:
    if not decided:
        return 0.5, 0.0, 1.0
    interval = stats.binomtest(wins, decided).proportion_ci(1 - ALPHA, "exact")
    return wins / decided, float(interval.low), float(interval.high)


def compare(a: Sample, b: Sample) -> Comparison | None:
    """Compare two models on the seeds that both have; None if they have none in common."""
    seeds = [seed for seed in a.seeds if seed in b.seeds]
    if not seeds:
        return None
    rows_a, rows_b = ([sample.seeds.index(seed) for seed in seeds] for sample in (a, b))
    maes_a, maes_b = a.maes[rows_a], b.maes[rows_b]
    differences = maes_a - maes_b
    errors = None
    if a.errors is not None and b.errors is not None and a.errors.shape[1] == b.errors.shape[1]:
        errors = a.errors[rows_a], b.errors[rows_b]
    log_ratio = None
    if (maes_a > 0).all() and (maes_b > 0).all():
        # As in `Sample.mae_interval`, of the logarithm of the ratio.
        parts = None if errors is None else errors[0] / maes_a[:, None] - errors[1] / maes_b[:, None]
        log_ratio = estimate(np.log(maes_a / maes_b), parts)
    return Comparison(
        difference=estimate(differences, None if errors is None else errors[0] - errors[1]),
        log_ratio=log_ratio,
        wins=int((differences < 0).sum()),
        losses=int((differences > 0).sum()),
        identical=not differences.any(),
        basis="seeds" if errors is None else "predictions",
    )


def estimate(values: Floats, parts: Floats | None) -> Estimate:
    """Estimate a mean over seeds and molecules, with the variance that each of them gives it.

    Args:
        values: one for each seed, `[S]`.
        parts: what each molecule contributes to them, `[S, M]`, up to a constant for each seed; or None.
    """
    num_seeds = len(values)
    seed_variance = float(values.var(ddof=1)) / num_seeds if num_seeds > 1 else None
    if parts is None or parts.shape[1] < 2:
        return Estimate(float(values.mean()), seed_variance, 0.0, num_seeds)
    num_molecules = parts.shape[1]
    molecule_means = parts.mean(0)
    variance = float(molecule_means.var(ddof=1))
    if num_seeds > 1:
        # What differs from seed to seed within a molecule is in the seeds' variance already.
        residual = parts - parts.mean(1, keepdims=True) - (molecule_means - molecule_means.mean())
        noise = float(np.square(residual).sum()) / ((num_seeds - 1) * (num_molecules - 1))
        variance = max(0.0, variance - noise / num_seeds)
    return Estimate(float(values.mean()), seed_variance, variance / num_molecules, num_seeds)


@functools.cache
def _mixture(degrees: int) -> tuple[Floats, Floats]:
    """Return nodes and weights for chi-square over its degrees of freedom, on a logarithmic grid."""
    width = 8 * math.sqrt(2 / degrees)  # the deviation of the logarithm, when it is nearly normal
    logarithms = np.linspace(-max(width, 80 / degrees), min(width, 5), 300)
    scale = np.exp(logarithms)
    weights = stats.chi2.pdf(degrees * scale, degrees) * scale
    return scale, weights / weights.sum()


def survival(value: float, seed_variance: float, molecule_variance: float, num_seeds: int) -> float:
    """Return P(T > value) of T = sqrt(seed variance) t + sqrt(molecule variance) z.

    t is Student's with one degree of freedom less than there are seeds, z is normal. Student's t is a normal
    variable over the root of a chi-square one, so T is a mixture of normals, summed here.
    """
    if seed_variance + molecule_variance <= 0:
        return 0.5 if value == 0 else float(value < 0)
    if seed_variance <= 0:
        return float(special.ndtr(-value / math.sqrt(molecule_variance)))
    scale, weights = _mixture(num_seeds - 1)
    return float(weights @ special.ndtr(-value / np.sqrt(seed_variance / scale + molecule_variance)))


def quantile(alpha: float, seed_variance: float, molecule_variance: float, num_seeds: int) -> float:
    """Return the value that |T| of `survival` exceeds with probability `alpha`."""
    unit = math.sqrt(seed_variance + molecule_variance)
    if unit <= 0:
        return 0.0
    a, b = seed_variance / unit**2, molecule_variance / unit**2
    if a <= 0:
        return -unit * float(special.ndtri(alpha / 2))
    # T lies between what it would be if all, and if none, of its variance came from the seeds.
    lowest, highest = -0.99 * special.ndtri(alpha / 2), -1.01 * special.stdtrit(num_seeds - 1, alpha / 2)
    return unit * float(
        optimize.brentq(lambda x: 2 * survival(x, a, b, num_seeds) - alpha, lowest, highest, xtol=1e-5, rtol=1e-5)
    )


def holm(p_values: list[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979, Scand. J. Stat. 6, 65).

    The smallest is multiplied by their number, the next by one less, and so on; none falls below the one before.
    """
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, row in enumerate(sorted(range(len(p_values)), key=lambda row: p_values[row])):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = reached
    return adjusted


def more_seeds(difference: Estimate, num_tests: int = 1) -> int | None:
    """Return how many more seeds would tell the difference from 0, if it is what it was measured to be.

    With them the test finds it with probability `POWER`, at `ALPHA` over `num_tests` tests. None if `MOST_SEEDS`
    are not enough, as when the test molecules are too few.
    """
    assert difference.seed_variance is not None
    of_one_seed = difference.seed_variance * difference.num_seeds

    def found(seeds: int) -> bool:
        variances = of_one_seed / seeds, difference.molecule_variance
        needed = quantile(ALPHA / num_tests, *variances, seeds) + special.ndtri(POWER) * math.sqrt(sum(variances))
        return bool(abs(difference.value) >= needed)

    low, high = difference.num_seeds, difference.num_seeds + MOST_SEEDS
    if not difference.value or not found(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high - difference.num_seeds


class Verdict(NamedTuple):
    """What a comparison tells of A in a word, and a note to it where one is due.

    `better` or `worse`: the corrected p-value is below `ALPHA`. `not distinguishable`: it is not. `lower` or
    `higher`: so it was on the one seed that there is, and no test is possible. `identical`: the same MAE on each seed.
    """

    word: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.word} ({self.note})" if self.note else self.word

    @property
    def tied(self) -> bool:
        """Whether A may be as good as B, as far as is known."""
        return self.word not in _OPPOSITES

    def reversed(self) -> "Verdict":
        """Return what it tells of B."""
        return self._replace(word=_OPPOSITES.get(self.word, self.word))


_OPPOSITES = {"better": "worse", "worse": "better", "lower": "higher", "higher": "lower"}
ONE_SEED = "one seed: seed variance unknown"


def judge(comparison: Comparison, p_value: float | None, num_tests: int = 1) -> Verdict:
    """Say what a comparison tells of A; `p_value` is corrected for `num_tests` tests, and None with one seed."""
    difference = comparison.difference
    if comparison.identical:
        return Verdict("identical")
    if p_value is None:
        low, high = difference.interval() or (difference.value, difference.value)
        if low <= 0 <= high:
            return Verdict("not distinguishable", ONE_SEED)
        return Verdict("lower" if difference.value < 0 else "higher", ONE_SEED)
    if p_value < ALPHA:
        return Verdict("better" if difference.value < 0 else "worse")
    more = more_seeds(difference, num_tests)
    if more is None:
        return Verdict("not distinguishable", f"not even {MOST_SEEDS:,} more seeds would tell")
    return Verdict("not distinguishable", f"about {more} more seed{'s' if more > 1 else ''} would tell")
