"""The distribution of a mean over few seeds and many molecules, each with a variance known to its own precision.

Few seeds vary as Student's t, many molecules as a normal distribution (or as a t, where they are few). The two parts
are independent, and their sum is the distribution of Behrens and Fisher.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

_NEARLY_NORMAL = 200  # with as many degrees of freedom or more, Student's t is taken as normal

Floats = NDArray[np.float64]


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
    # The grid has nodes of both variables, so each gets fewer: the relative error of the tail is then 5e-5.
    scale, weights = scale[::2], weights[::2]
    others, other_weights = (part[::5] for part in _mixture(num_molecules - 1))
    spread = np.sqrt(seed_variance / scale[:, None] + molecule_variance / others)
    both = np.outer(weights, other_weights)
    return spread.ravel(), (both / both.sum()).ravel()


def survival(
    value: float, seed_variance: float, molecule_variance: float, degrees: float, num_molecules: int = 0
) -> float:
    """Return P(T > value) for T = sqrt(seed variance) t + sqrt(molecule variance) u.

    t is Student's with `degrees` of freedom; u is Student's with `num_molecules` - 1, and normal where these are many
    (or if `num_molecules` is 0, for an unknown number). Student's t is a normal variable divided by the root of a
    chi-square one, so T is a mixture of normal distributions. This function sums over the mixture numerically.
    """
    if seed_variance + molecule_variance <= 0:
        return 0.5 if value == 0 else float(value < 0)
    spread, weights = _normals(seed_variance, molecule_variance, degrees, num_molecules)
    return float(weights @ special.ndtr(-value / spread))


@functools.lru_cache(maxsize=20_000)  # the table, the pairs and both rows of a comparison need the same quantile
def quantile(
    alpha: float, seed_variance: float, molecule_variance: float, degrees: float, num_molecules: int = 0
) -> float:
    """Return the value that |T| exceeds with probability `alpha`; T and the other arguments are those of `survival`."""
    unit = math.sqrt(seed_variance + molecule_variance)
    if unit <= 0:
        return 0.0
    a, b = seed_variance / unit**2, molecule_variance / unit**2
    spread, weights = _normals(a, b, degrees, num_molecules)
    if len(spread) == 1:
        return -unit * float(spread[0] * special.ndtri(alpha / 2))

    from scipy import optimize  # slow to import, and not needed by a table of one row

    def excess(value: float) -> float:
        return 2 * float(weights @ special.ndtr(-value / spread)) - alpha

    # The quantile lies between that of a normal distribution and that of a t with the fewer degrees of freedom.
    fewest = [degrees] * (a > 0) + [num_molecules - 1] * (b > 0 and num_molecules > 1)
    low, high = -0.99 * float(special.ndtri(alpha / 2)), -1.05 * float(special.stdtrit(min(fewest), alpha / 2))
    return unit * float(optimize.brentq(excess, low, high, xtol=1e-5, rtol=1e-5))
