"""Variances over few seeds, made more certain by those of other rows (moderated variances, empirical Bayes).

With two or three seeds the variance over seeds of one comparison is hardly known, and a t-test finds next to nothing.
But the comparisons of a table are alike: their relative variances scatter around a common value. Each variance is
therefore drawn towards the common one, as if it had been measured on some more seeds (Smyth 2004, Stat. Appl. Genet.
Mol. Biol. 3, 3, for genes). The less the variances scatter beyond what so few seeds explain, the more strongly they are
drawn.

Two things differ from Smyth's estimate, because a table has few rows, and pairs of one table share models. The common
value is the mean of the variances rather than of their logarithms, and one standard error is added to their scatter:
both draw variances less strongly. And no comparison gets more degrees of freedom than all seeds of the table together
have. Without these three, 7 to 11 of 100 equal models would be told apart in a table of four; with them, 3 to 6
(tests/compare/test_moderation.py).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.distribution import Floats
from ibbench.compare.estimate import Estimate
from ibbench.compare.statistics import Comparison

MIN_INDEPENDENT = 3  # comparisons that share no model; with fewer, the scatter of their variances cannot be estimated
_MOST_DEGREES = 1000.0


class Prior(NamedTuple):
    """What the comparisons of a table have in common.

    Attributes:
        variance: common variance over seeds of the logarithm of the ratio of two MAEs, for a single seed.
        degrees: degrees of freedom that the common variance adds to a comparison.
        pooled: degrees of freedom of all seeds of the table, the most that any comparison gets.
    """

    variance: float
    degrees: float
    pooled: float

    def moderate(self, variance: float, degrees: float) -> tuple[float, float]:
        """Draw a variance towards the common one, as a mean weighted by degrees of freedom (Smyth 2004).

        Args:
            variance: variance of one comparison, for a single seed.
            degrees: degrees of freedom of that variance.

        Returns:
            The moderated variance and its degrees of freedom.
        """
        both = min(self.degrees + degrees, max(self.pooled, degrees))
        share = (both - degrees) / both
        return share * self.variance + (1 - share) * variance, both


def estimate_prior(variances: Floats, degrees: Floats, num_independent: int, pooled: float) -> Prior | None:
    """Estimate the common variance of comparisons, and how closely their variances scatter around it.

    Args:
        variances: variance of each comparison, for a single seed, `[P]`.
        degrees: degrees of freedom of each variance, `[P]`.
        num_independent: number of comparisons that share no model.
        pooled: degrees of freedom of all seeds together.

    Returns:
        The prior; None if fewer than `MIN_INDEPENDENT` comparisons are independent or have a variance above 0.
    """
    known = variances > 0
    if num_independent < MIN_INDEPENDENT or known.sum() < MIN_INDEPENDENT:
        return None
    half = degrees[known] / 2
    # The logarithm of a sample variance has mean log(variance) + digamma(d/2) - log(d/2), and variance trigamma(d/2).
    logarithms = np.log(variances[known]) - special.digamma(half) + np.log(half)
    expected = float(special.polygamma(1, half).mean())
    scatter = max(0.0, float(logarithms.var(ddof=1)) - expected) + expected / np.sqrt(num_independent)
    return Prior(float(variances.mean()), degrees_of_scatter(scatter), pooled)


def degrees_of_scatter(scatter: float) -> float:
    """Return the degrees of freedom d at which the logarithm of a sample variance has the variance `scatter`.

    They solve trigamma(d / 2) = scatter; the result lies between 0 and 1,000.
    """

    from scipy import optimize  # slow to import, and not needed by few rows

    def excess(log_half: float) -> float:
        return float(special.polygamma(1, np.exp(log_half))) - scatter

    low, high = np.log(1e-3), np.log(_MOST_DEGREES / 2)
    if excess(high) >= 0:
        return _MOST_DEGREES
    return 2 * float(np.exp(optimize.brentq(excess, low, high))) if excess(low) > 0 else 0.0


def variance_of_seed(comparison: Comparison) -> float:
    """Return the variance over seeds of the logarithm of the ratio of two MAEs, for one seed."""
    ratio = comparison.log_ratio
    return (ratio.seed_variance or 0.0) * ratio.num_seeds if ratio else 0.0


def moderate(comparison: Comparison, prior: Prior | None) -> Comparison:
    """Draw the variances over seeds of a comparison, of the difference and of the ratio alike, towards the prior."""
    before, ratio = variance_of_seed(comparison), comparison.log_ratio
    if prior is None or ratio is None or comparison.identical or not before > 0:
        return comparison
    after, degrees = prior.moderate(before, comparison.difference.degrees)
    if degrees <= comparison.difference.degrees:
        return comparison

    def scaled(estimate: Estimate) -> Estimate:
        return estimate._replace(seed_variance=(estimate.seed_variance or 0.0) * after / before, degrees=degrees)

    return comparison._replace(difference=scaled(comparison.difference), log_ratio=scaled(ratio))
