"""The verdict of a comparison in words, after correction for the number of tests, and how small a difference shows."""

import math
from typing import NamedTuple

from scipy import special

from ibbench.compare.estimate import ALPHA, Estimate
from ibbench.compare.statistics import Comparison
from ibbench.errors import InputError

POWER = 0.8  # probability to find a difference of the size that a verdict says would be found
_POWER_QUANTILE = float(special.ndtri(POWER))
_MOST_LOGARITHM = 700.0  # the exponential of a larger number is too large for a float
RELEVANCE = 0.01  # relative difference of two MAEs below which it does not matter which is lower
_SILLY = 1000  # percent: larger figures are written as "over 1000"
ONE_SEED = "one seed: seed variance unknown"
SAME_SEEDS = "all seeds are the same: seed variance unknown"


def holm(p_values: list[float], num_tests: int = 0) -> list[float]:
    """Correct p-values for their number (Holm 1979, Scand. J. Stat. 6, 65).

    The smallest is multiplied by their number, the next by one less, and so on; none falls below the one before.

    Args:
        p_values: uncorrected p-values.
        num_tests: number of tests in the family, if it is larger than the number of p-values. It is larger where the
            tests were chosen after their results were known, such as tests against the best row. The correction is then
            on the safe side.

    Returns:
        The corrected p-values, in the order of `p_values`.
    """
    count = max(len(p_values), num_tests)
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, row in enumerate(sorted(range(len(p_values)), key=lambda row: p_values[row])):
        reached = max(reached, min(1.0, (count - rank) * p_values[row]))
        adjusted[row] = reached
    return adjusted


def detectable(estimate: Estimate, num_tests: int = 1) -> float:
    """Return the smallest true value that a test with these seeds and molecules finds with probability `POWER`.

    The test has the level `ALPHA` divided by `num_tests`. The result depends on the variances only, not on the measured
    value, which is mostly noise where nothing was found.

    Args:
        estimate: measured value with its variances.
        num_tests: number of tests in the family.

    Returns:
        The value in the unit of the estimate.
    """
    deviation = math.sqrt((estimate.seed_variance or 0.0) + estimate.molecule_variance)
    return estimate.margin(ALPHA / num_tests) + _POWER_QUANTILE * deviation


def check_relevance(relevance: float) -> None:
    """Check the value of `--relevance`.

    Raises:
        InputError: the value is not between 0 and 1.
    """
    if not 0 < relevance < 1:
        raise InputError(f"--relevance {relevance} is not possible: expected a fraction, such as 0.01 for 1 %")


class Verdict(NamedTuple):
    """One word on the error of A against that of B, with a note where one is needed.

    - `better` or `worse`: the corrected p-value is below `ALPHA`. If the whole 95 % interval is too close to 0 to be
      relevant, the note says so.
    - `equal`: the p-value is not below `ALPHA`, and the whole interval is too close to 0 to be relevant.
    - `not distinguishable`: neither; the note says how much lower or higher the error could be.
    - `lower` or `higher`: the error was lower or higher, but no test is possible, as with one seed.
    - `identical`: both have the same MAE on each seed.
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
        """Return the verdict on B against A, with the same note."""
        return self._replace(word=_OPPOSITES.get(self.word, self.word))


_OPPOSITES = {"better": "worse", "worse": "better", "lower": "higher", "higher": "lower"}


def judge(comparison: Comparison, p_value: float | None, num_tests: int = 1, relevance: float = RELEVANCE) -> Verdict:
    """Return the verdict on A.

    Args:
        comparison: comparison of A with B.
        p_value: p-value of that comparison, corrected for `num_tests` tests; None where nothing can be tested.
        num_tests: the number of tests in the family.
        relevance: relative difference below which it does not matter which error is lower.
    """
    difference = comparison.difference
    if comparison.identical:
        return Verdict("identical")
    if p_value is None:
        low, high = difference.interval() or (difference.value, difference.value)
        note = "no variance is known"
        if difference.seed_variance is None:
            note = ONE_SEED if difference.num_seeds == 1 else SAME_SEEDS
        if low <= 0 <= high:
            return Verdict("not distinguishable", note)
        return Verdict("lower" if difference.value < 0 else "higher", note)
    ratio = comparison.ratio()
    within = bool(ratio and 1 / (1 + relevance) < ratio[1] and ratio[2] < 1 + relevance)
    if p_value < ALPHA:
        return Verdict(
            "better" if difference.value < 0 else "worse", f"by less than {relevance * 100:.3g} %" if within else ""
        )
    if within:
        return Verdict("equal", f"within {relevance * 100:.3g} %")
    return Verdict("not distinguishable", _what_is_open(comparison, num_tests))


def _what_is_open(comparison: Comparison, num_tests: int) -> str:
    """Say how much better or worse A could be than B, and how small a difference would have been found."""
    ratio, logarithms = comparison.ratio(), comparison.log_ratio
    if ratio is None or logarithms is None or math.isnan(ratio[1]):
        return ""
    found = math.expm1(min(detectable(logarithms, num_tests), _MOST_LOGARITHM))
    return f"from {_change(ratio[1])} to {_change(ratio[2])}; {_digits(found)} % would be found"


def _change(ratio: float) -> str:
    return f"{_digits(abs(ratio - 1))} % {'lower' if ratio < 1 else 'higher'}"


def _digits(share: float) -> str:
    """Format a share in percent with two digits; above `_SILLY` percent as `over 1000`."""
    percent = 100 * share
    if percent > _SILLY:
        return f"over {_SILLY}"
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}"
