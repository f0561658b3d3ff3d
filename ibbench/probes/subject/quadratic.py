"""The probability that a sum of squared Gaussians is small, accurate also where it is too small to be sampled."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]
_NEAR = 1e-3  # distance to the mean, in standard deviations, within which the saddlepoint formula loses its digits


def log_probability_below(bound: float, variances: Floats, offsets: Floats) -> float:
    """Return the log probability that the sum of (sqrt(v_k) z_k + o_k)^2 is at most a bound, z_k standard normal.

    With equal variances the sum has a non-central chi-square distribution. The probability is computed by a saddlepoint
    approximation (Barndorff-Nielsen 1986; Kuonen 1999, doi:10.1093/biomet/86.4.929), whose relative error stays small
    in the tail: for 20 equal variances it is below 1 % down to probabilities of e^-100.

    Args:
        bound: the bound, above 0.
        variances: the variances v_k, above 0, `[m]`.
        offsets: the offsets o_k, `[m]`.

    Returns:
        The natural logarithm of the probability.
    """
    scale = float(variances.max())
    v, squares, bound = variances / scale, np.square(offsets) / scale, bound / scale

    def slope(t: float) -> float:
        rest = 1 - 2 * t * v
        return float((v / rest + squares / rest**2).sum())

    mean = slope(0.0)
    spread = math.sqrt(float((2 * v**2 + 4 * squares * v).sum()))
    if abs(bound - mean) < _NEAR * spread:
        third = float((8 * v**3 + 24 * squares * v**2).sum()) / spread**3
        return math.log(0.5 + third / (6 * math.sqrt(2 * math.pi)) + (bound - mean) / spread / math.sqrt(2 * math.pi))
    lowest = -1.0
    while slope(lowest) > bound:
        lowest *= 4
    highest = 0.0 if bound < mean else 0.5 * (1 - 1e-12)
    t = float(optimize.brentq(lambda t: slope(t) - bound, lowest, highest, xtol=1e-14 * abs(lowest)))
    rest = 1 - 2 * t * v
    cumulants = float((-0.5 * np.log(rest) + squares * t / rest).sum())
    curvature = float((2 * v**2 / rest**2 + 4 * squares * v / rest**3).sum())
    w = math.copysign(math.sqrt(2 * (t * bound - cumulants)), t)
    return float(special.log_ndtr(w + math.log(t * math.sqrt(curvature) / w) / w))
