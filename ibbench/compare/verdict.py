"""What a comparison tells, in words, after correction for the number of tests; and what would tell more."""

import math
from typing import NamedTuple

from scipy import special

from ibbench.compare.statistics import ALPHA, Comparison, Estimate, quantile, quantile_bounds

POWER = 0.8  # with which `more_seeds` would find the difference
_POWER_QUANTILE = float(special.ndtri(POWER))
MOST_SEEDS = 1000
ONE_SEED = "one seed: seed variance unknown"


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
    degrees_a_seed = difference.degrees / max(1, difference.num_seeds - 1)

    def found(seeds: int) -> bool:
        variances = of_one_seed / seeds, difference.molecule_variance
        test = ALPHA / num_tests, *variances, degrees_a_seed * (seeds - 1)
        margin = _POWER_QUANTILE * math.sqrt(sum(variances))
        perhaps, surely = (abs(difference.value) >= critical + margin for critical in quantile_bounds(*test))
        if perhaps == surely:  # as it mostly is
            return surely
        return abs(difference.value) >= quantile(*test) + margin

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
