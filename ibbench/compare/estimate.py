"""A mean over seeds and molecules, and its variance: a two-way analysis of variance, since both are crossed."""

from typing import NamedTuple

import numpy as np

from ibbench.compare.distribution import Floats, quantile, survival

ALPHA = 0.05  # of every test, after Holm's correction; intervals are at 1 - ALPHA


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


def estimate(values: Floats, parts: Floats | None, scratch: Floats | None = None) -> Estimate:
    """Estimate a mean over seeds and molecules, with the variance that each of them gives it.

    Args:
        values: one for each seed, `[S]`.
        parts: what each molecule contributes to them, `[S, M]`, up to a constant for each seed; or None.
        scratch: an array to overwrite, `[S, M]`, such as the parts themselves: a new one takes longer than its
            figures.
    """
    num_seeds = len(values)
    seed_variance = float(values.var(ddof=1)) / num_seeds if num_seeds > 1 else None
    molecule_variance = 0.0
    if parts is not None and parts.shape[1] > 1:
        centred = centred_means(parts)
        spread = float(np.square(centred).sum() / (parts.shape[1] - 1)) / parts.shape[1]
        # What differs from seed to seed within a molecule is in the seeds' variance already.
        molecule_variance = max(0.0, spread - molecule_noise(parts, centred, scratch))
    num_molecules = 0 if parts is None else parts.shape[1]
    degrees = max(1, num_seeds - 1)
    return Estimate(float(values.mean()), seed_variance, molecule_variance, num_seeds, degrees, num_molecules)


def centred_means(parts: Floats) -> Floats:
    """Return the mean over seeds of each molecule, `[S, M]` to `[M]`, less the mean of all."""
    means = parts.mean(0)
    return means - means.mean()


def molecule_noise(parts: Floats, centred: Floats, scratch: Floats | None = None) -> float:
    """Return the part of the variance over molecules of a mean over seeds, `[S, M]`, that the seeds brought in."""
    num_seeds, num_molecules = parts.shape
    if num_seeds == 1 or num_molecules == 1:
        return 0.0
    residual = np.subtract(parts, parts.mean(1, keepdims=True), out=scratch)
    residual -= centred
    squares = np.square(residual, out=residual)
    return float(squares.sum()) / ((num_seeds - 1) * (num_molecules - 1)) / num_seeds / num_molecules


def welch_degrees(variance_a: float, variance_b: float, num_a: int, num_b: int) -> float:
    """Return the degrees of freedom of the sum of two variances of means (Welch 1947, Biometrika 34, 28)."""
    larger = max(variance_a, variance_b)
    if not larger > 0:
        return 1.0
    a, b = variance_a / larger, variance_b / larger  # their squares would leave the range of floats at 1e-90
    return (a + b) ** 2 / (a**2 / (num_a - 1) + b**2 / (num_b - 1))
