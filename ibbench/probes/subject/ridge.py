"""Regression with a kernel on n labels, in closed form: what it predicts, and how probable it finds the labels."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGES = 10.0 ** np.arange(-8, 1.75, 0.5)  # tried, as multiples of the kernel's mean diagonal
_NEARLY = 1e-14  # of the largest eigenvalue: what rounding leaves of a 0


class Spectrum(NamedTuple):
    """A kernel by its eigenvalues `[n]` and eigenvectors `[n, n]`, a column each."""

    values: Floats
    vectors: Floats

    @property
    def ridges(self) -> Floats:
        """The ridges that are tried."""
        return RIDGES * self.values.mean()


def with_constant(kernel: Floats) -> Floats:
    """Return the kernel of functions that may be shifted by any constant of the size of the functions themselves."""
    return kernel + max(kernel.mean(), 0.0)


def decompose(kernel: Floats) -> Spectrum:
    """Return the spectrum of a symmetric kernel, `[n, n]`, whose negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh(kernel)
    return Spectrum(values.clip(min=_NEARLY * values[-1]), vectors)


def leave_one_out(spectrum: Spectrum, labels: Floats, ridge: float) -> Floats:
    """Return label minus prediction of each molecule by the regression on all others, `[n]`.

    With M = (K + ridge I)^-1 it is (M y)_i / M_ii (Rasmussen & Williams 2006, equation 5.12).
    """
    weights, diagonal = _solve(spectrum, labels, ridge)
    return weights / diagonal


def cross_validation(spectrum: Spectrum, labels: Floats, ridge: float) -> float:
    """Return the generalised cross-validation estimate of the mean squared error (Golub, Heath & Wahba 1979).

    It is that of `leave_one_out`, with the mean of the M_ii in the place of each.
    """
    weights, diagonal = _solve(spectrum, labels, ridge)
    return float(np.mean(weights**2) / diagonal.mean() ** 2)


def log_evidence(spectrum: Spectrum, labels: Floats, ridge: float) -> tuple[float, float]:
    """Return the log density of the labels under a Gaussian process, in nats, and its scale s.

    The labels are drawn from N(0, s (K + ridge I)), with the s under which they are most probable: y^T M y / n
    (Rasmussen & Williams 2006, equation 5.8).
    """
    projected = spectrum.vectors.T @ labels
    shifted = spectrum.values + ridge
    count = len(labels)
    scale = float((projected**2 / shifted).mean())
    return -0.5 * (count * math.log(2 * math.pi * scale) + float(np.log(shifted).sum()) + count), scale


def effective_parameters(spectrum: Spectrum, ridge: float) -> float:
    """Return the trace of K (K + ridge I)^-1, the share of labels in predictions (Hastie et al. 2009, 7.32)."""
    return float((spectrum.values / (spectrum.values + ridge)).sum())


class Fit(NamedTuple):
    """What a kernel makes of labels, with the best ridge by each measure.

    Attributes:
        bits: minus the log2 density of the labels, per label, at the most probable ridge.
        residuals: label minus prediction of each molecule by all others, `[n]`, at the ridge of the least square.
        gcv: square root of the generalised cross-validation estimate, at that ridge.
        num_effective: effective parameters, at that ridge.
    """

    bits: float
    residuals: Floats
    gcv: float
    num_effective: float


def fit(spectrum: Spectrum, labels: Floats) -> Fit:
    """Fit labels `[n]` with each of the ridges; keep the most probable, and that of the least error left out.

    Generalised cross-validation has no ridge of its own: where predictions nearly follow the labels it is too hopeful.
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
