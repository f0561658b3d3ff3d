"""Kernel ridge regression on n labels, in closed form: its errors, and the probability of the labels under it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGES = 10.0 ** np.arange(-8, 1.75, 0.5)  # the ridges that are tried, as multiples of the kernel's mean diagonal
_NEARLY = 1e-14  # share of the largest eigenvalue that rounding leaves in place of 0


class Spectrum(NamedTuple):
    """The spectrum of a kernel: its eigenvalues `[n]`, and its eigenvectors as the columns of `[n, n]`."""

    values: Floats
    vectors: Floats

    @property
    def ridges(self) -> Floats:
        """The ridges that are tried for this kernel: `RIDGES` times its mean eigenvalue."""
        return RIDGES * self.values.mean()


def with_constant(kernel: Floats) -> Floats:
    """Return the kernel plus its mean, which allows functions a constant offset of about their own size, `[n, n]`."""
    return kernel + max(kernel.mean(), 0.0)


def decompose(kernel: Floats) -> Spectrum:
    """Return the spectrum of a symmetric kernel `[n, n]`; negative eigenvalues, which are rounding, become almost 0."""
    values, vectors = np.linalg.eigh(kernel)
    return Spectrum(values.clip(min=_NEARLY * values[-1]), vectors)


def leave_one_out(spectrum: Spectrum, labels: Floats, ridge: float) -> Floats:
    """Return the label of each molecule minus its prediction by the regression on all other molecules, `[n]`.

    With the kernel K, the labels y and M = (K + ridge I)^-1 it is (M y)_i / M_ii (Rasmussen & Williams 2006, equation
    5.12).
    """
    weights, diagonal = _solve(spectrum, labels, ridge)
    return weights / diagonal


def cross_validation(spectrum: Spectrum, labels: Floats, ridge: float) -> float:
    """Return the generalised cross-validation estimate of the mean squared error (Golub, Heath & Wahba 1979).

    It is the mean square of what `leave_one_out` returns, with the mean of all M_ii in place of each M_ii.
    """
    weights, diagonal = _solve(spectrum, labels, ridge)
    return float(np.mean(weights**2) / diagonal.mean() ** 2)


def log_evidence(spectrum: Spectrum, labels: Floats, ridge: float) -> tuple[float, float]:
    """Return the log density of the labels under a Gaussian process, in nats, and the scale s of the process.

    The labels y have the distribution N(0, s (K + ridge I)), with the scale s under which they are most probable:
    y^T M y / n with M = (K + ridge I)^-1 (Rasmussen & Williams 2006, equation 5.8).
    """
    projected = spectrum.vectors.T @ labels
    shifted = spectrum.values + ridge
    count = len(labels)
    scale = float((projected**2 / shifted).mean())
    return -0.5 * (count * math.log(2 * math.pi * scale) + float(np.log(shifted).sum()) + count), scale


def effective_parameters(spectrum: Spectrum, ridge: float) -> float:
    """Return the effective number of parameters, the trace of K (K + ridge I)^-1 (Hastie et al. 2009, 7.32)."""
    return float((spectrum.values / (spectrum.values + ridge)).sum())


class Fit(NamedTuple):
    """How well a kernel explains labels, at the best ridge by one of two measures.

    Attributes:
        bits: negative log2 of the density of the labels, per label, at the ridge where it is least.
        residuals: label of each molecule minus its prediction from all others, `[n]`, at the ridge where the mean
            square of these is least.
        gcv: square root of the generalised cross-validation estimate, at the ridge of `residuals`.
        num_effective: effective number of parameters, at the ridge of `residuals`.
    """

    bits: float
    residuals: Floats
    gcv: float
    num_effective: float


def fit(spectrum: Spectrum, labels: Floats) -> Fit:
    """Fit labels `[n]` with each ridge; keep the most probable ridge, and that of the least leave-one-out error.

    Generalised cross-validation does not choose a ridge: it is too optimistic if predictions nearly equal the labels.
    """
    evidences = [log_evidence(spectrum, labels, ridge)[0] for ridge in spectrum.ridges]
    residuals = [leave_one_out(spectrum, labels, ridge) for ridge in spectrum.ridges]
    best = int(np.argmin([np.square(left).mean() for left in residuals]))
    ridge = spectrum.ridges[best]
    return Fit(
        bits=-max(evidences) / len(labels) / math.log(2),
        residuals=residuals[best],
        gcv=math.sqrt(cross_validation(spectrum, labels, ridge)),
        num_effective=effective_parameters(spectrum, ridge),
    )


def _solve(spectrum: Spectrum, labels: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Return M y and the diagonal of M = (K + ridge I)^-1, `[n]` each."""
    inverse = 1 / (spectrum.values + ridge)
    weights = spectrum.vectors @ (inverse * (spectrum.vectors.T @ labels))
    return weights, np.square(spectrum.vectors) @ inverse
