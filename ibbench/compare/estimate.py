"""A mean over seeds and molecules and its variance, by a two-way analysis of variance.

Each seed predicts each test molecule (the two are crossed), so both contribute to the variance of the mean.
"""

from typing import NamedTuple

import numpy as np

from ibbench.compare.distribution import Floats, quantile, survival

ALPHA = 0.05  # level of every test, after Holm's correction; intervals are at the level 1 - ALPHA


class Estimate(NamedTuple):
    """A mean over seeds and molecules, and how much it would vary.

    Attributes:
        value: mean, such as an MAE, a difference of two MAEs, or the logarithm of their ratio.
        seed_variance: variance of the mean if seeds were drawn anew, in the square of its unit; None with one seed.
        molecule_variance: variance of the mean if test molecules were drawn anew, in the square of its unit; 0 where
            the errors of single molecules are not known.
        num_seeds: number of seeds; of two models with different seeds the smaller number.
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
        """Whether a variance above 0 is known. One of 0, as of a baseline that no seed changes, tells nothing."""
        return (self.seed_variance or 0.0) + self.molecule_variance > 0

    def interval(self) -> tuple[float, float] | None:
        """Return the ends of the 95 % interval; None if no variance is known.

        With one seed it is the interval for other test molecules only.
        """
        if not self.is_known:
            return None
        half = self.margin(ALPHA)
        return self.value - half, self.value + half

    def margin(self, alpha: float) -> float:
        """Return the distance from the true mean that the estimate exceeds with probability `alpha`."""
        variances = self.seed_variance or 0.0, self.molecule_variance
        return quantile(alpha, *variances, self.degrees, self.num_molecules)

    def p_value(self) -> float | None:
        """Return the two-sided p-value of the hypothesis that the true mean is 0.

        Returns:
            The p-value; None with one seed, and where no variance is known: then nothing can be tested.
        """
        if self.seed_variance is None or not self.is_known:
            return None
        variances = self.seed_variance, self.molecule_variance
        return 2 * survival(abs(self.value), *variances, self.degrees, self.num_molecules)

    def negated(self) -> "Estimate":
        """Return the estimate of minus the mean: that of B - A from that of A - B."""
        return self._replace(value=-self.value)


def estimate(values: Floats, parts: Floats | None, scratch: Floats | None = None) -> Estimate:
    """Estimate a mean over seeds and molecules, with the variances due to seeds and due to molecules.

    Args:
        values: value of each seed, `[S]`, such as its MAE.
        parts: contribution of each molecule to the value of each seed, `[S, M]`, such as its absolute error; a constant
            for each seed may be missing. None if contributions are not known.
        scratch: array to overwrite, `[S, M]`, such as `parts` itself; None for a new one, which takes longer to
            allocate than to fill.
    """
    num_seeds = len(values)
    seed_variance = float(values.var(ddof=1)) / num_seeds if num_seeds > 1 else None
    molecule_variance = 0.0
    if parts is not None and parts.shape[1] > 1:
        centred = centred_means(parts)
        spread = float(np.square(centred).sum() / (parts.shape[1] - 1)) / parts.shape[1]
        # The scatter of one molecule between seeds is part of the variance over seeds, and must not count twice.
        molecule_variance = max(0.0, spread - molecule_noise(parts, centred, scratch))
    num_molecules = 0 if parts is None else parts.shape[1]
    degrees = max(1, num_seeds - 1)
    return Estimate(float(values.mean()), seed_variance, molecule_variance, num_seeds, degrees, num_molecules)


def centred_means(parts: Floats) -> Floats:
    """Return the mean over seeds of each molecule minus the mean over all molecules, from `[S, M]` to `[M]`."""
    means = parts.mean(0)
    return means - means.mean()


def molecule_noise(parts: Floats, centred: Floats, scratch: Floats | None = None) -> float:
    """Return the part of the variance over molecules that comes from the scatter between seeds.

    It is the mean square of the interaction of seeds and molecules in the two-way analysis of variance, divided by S M.

    Args:
        parts: contribution of each molecule to the value of each seed, `[S, M]`.
        centred: result of `centred_means(parts)`, `[M]`.
        scratch: array to overwrite, `[S, M]`; None for a new one.
    """
    num_seeds, num_molecules = parts.shape
    if num_seeds == 1 or num_molecules == 1:
        return 0.0
    residual = np.subtract(parts, parts.mean(1, keepdims=True), out=scratch)
    residual -= centred
    squares = np.square(residual, out=residual)
    return float(squares.sum()) / ((num_seeds - 1) * (num_molecules - 1)) / num_seeds / num_molecules


def welch_degrees(variance_a: float, variance_b: float, num_a: int, num_b: int) -> float:
    """Return the degrees of freedom of the sum of two variances of means (Welch 1947, Biometrika 34, 28).

    Args:
        variance_a: variance of the mean of A.
        variance_b: variance of the mean of B.
        num_a: number of seeds of A, at least 2.
        num_b: number of seeds of B, at least 2.
    """
    larger = max(variance_a, variance_b)
    if not larger > 0:
        return 1.0
    a, b = variance_a / larger, variance_b / larger  # their squares would leave the range of floats at 1e-90
    return (a + b) ** 2 / (a**2 / (num_a - 1) + b**2 / (num_b - 1))
