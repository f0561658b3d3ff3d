"""The power law of a learning curve, MAE = a N^-b + c, and how well this and other laws foretell the largest size."""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from ibbench.worth.curves import Curve, Floats, interval

MIN_SIZES = 5  # two more than the law has parameters
_DRAWS = 300  # number of draws that the law is fitted to, for its intervals
_MOST_STEPS = 200  # a fit may not end by itself: the logarithm of a floor of 0 is minus infinity
_FARTHEST = np.array([30.0, 3.0, 30.0])  # largest absolute value of the logarithms of a, b and c; so b is at most 20
_NOTHING = 1e-3  # a floor below this fraction of the lowest MAE counts as 0
_UNKNOWN = (math.nan, math.nan)
FORMS = {  # the laws that are compared, with their names
    "without_floor": "power law",
    "with_floor": "power law with floor",
    "exponential": "exponential with floor",
}


class Fit(NamedTuple):
    """A fitted law MAE = a N^-b + c, with 95 % intervals. N is the size along the axis, such as the number of labels.

    Attributes:
        a: factor, in the unit of the target: the falling part of the error at N = 1.
        b: exponent, without a unit; positive.
        c: floor that larger sizes do not lower, in the unit of the target; at least 0.
        a_interval: ends of the interval of a; NaN where unknown.
        b_interval: ends of the interval of b; NaN where unknown.
        c_interval: ends of the interval of c; NaN where all draws agree, such as on a floor of 0, since this does not
            tell how far c may be from there.
        residuals: MAE / law - 1 at each size, `[K]`.
        floor_known: whether the interval of c excludes 0.
        grid: sizes at which the band is given, `[G]`.
        band: ends of the 95 % interval of the law at the sizes of `grid`, `[2, G]`, in the unit of the target.
    """

    a: float
    b: float
    c: float
    a_interval: tuple[float, float]
    b_interval: tuple[float, float]
    c_interval: tuple[float, float]
    residuals: Floats
    floor_known: bool
    grid: Floats
    band: Floats

    def __call__(self, sizes: Floats) -> Floats:
        """Return the error that the law has at some sizes, `[K]`, in the unit of the target."""
        return self.a * sizes**-self.b + self.c


def fit_power_law(curve: Curve, draws: Floats) -> Fit | None:
    """Fit the law MAE = a N^-b + c to a curve by least squares of the logarithm of the MAE.

    Args:
        curve: errors as measured.
        draws: draws of `draw_curves` for this curve, `[D, K]`; the law is fitted to some of them, too, for its
            intervals.

    Returns:
        The fit; None if the curve has fewer than `MIN_SIZES` sizes.
    """
    if len(curve.sizes) < MIN_SIZES:
        return None
    a, b, c = _solve(curve.sizes, np.log(curve.maes))
    known = bool(np.isfinite(draws).all())  # if nothing is known, all intervals are NaN
    drawn = np.array([_solve(curve.sizes, row, (a, b, c)) if known else (np.nan,) * 3 for row in draws[:_DRAWS]])
    of_a, of_b, of_c = (interval(column) for column in drawn.T)
    of_a, of_b = (ends if ends[1] > ends[0] else _UNKNOWN for ends in (of_a, of_b))
    least = _NOTHING * curve.maes.min()
    c, lowest, highest = (0.0 if floor <= least else floor for floor in (c, *of_c))
    grid = np.geomspace(curve.sizes[0], curve.sizes[-1], 50)
    laws = drawn[:, :1] * grid ** -drawn[:, 1:2] + drawn[:, 2:]
    return Fit(
        a,
        b,
        c,
        of_a,
        of_b,
        (lowest, highest) if highest > lowest else _UNKNOWN,
        curve.maes / (a * curve.sizes**-b + c) - 1,
        lowest > 0,
        grid,
        np.quantile(laws, [0.025, 0.975], axis=0),
    )


class Foretold(NamedTuple):
    """How well laws that were fitted to all sizes but the largest foretell the error at the largest.

    Attributes:
        size: the size that was held out.
        errors: relative error of each law of `FORMS` at that size, law / MAE - 1.
    """

    size: float
    errors: dict[str, float]

    @property
    def best(self) -> str:
        """The law (a key of `FORMS`) with the smallest error; if errors agree to 0.1 %, the law without a floor."""
        return min(FORMS, key=lambda form: round(abs(self.errors[form]), 3))


def foretell(curve: Curve) -> Foretold | None:
    """Fit each of `FORMS` to all sizes but the largest, and compare it with what was measured there.

    No law fits all learning curves (Viering & Loog 2023, IEEE Trans. Pattern Anal. Mach. Intell. 45, 7799). How well a
    law foretells the largest size shows how far it can be trusted beyond that size.

    Args:
        curve: errors as measured.

    Returns:
        The errors of the laws; None if the curve has fewer than `MIN_SIZES` sizes.
    """
    if len(curve.sizes) < MIN_SIZES:
        return None
    sizes, logarithms = curve.sizes[:-1], np.log(curve.maes[:-1])
    largest, measured = float(curve.sizes[-1]), float(curve.maes[-1])
    a, b, c = _solve(sizes, logarithms)
    slope, level = np.polyfit(np.log(sizes), logarithms, 1)
    told = {
        "with_floor": a * largest**-b + c,
        "without_floor": float(np.exp(level + slope * np.log(largest))),
        "exponential": _solve_exponential(sizes, logarithms, largest),
    }
    return Foretold(largest, {form: value / measured - 1 for form, value in told.items()})


def _solve_exponential(sizes: Floats, log_maes: Floats, at: float) -> float:
    """Fit MAE = a exp(-b N) + c, and return the MAE of this law at the size `at`."""
    middle, scale = float(np.exp(np.log(sizes).mean())), float(np.exp(log_maes.min()))
    x, y = sizes / middle, log_maes - np.log(scale)
    height = max(float(y.max()), 0.01)
    starts = [(np.log(height), np.log(rate), np.log(floor)) for rate in (0.1, 1.0, 5.0) for floor in (0.3, 0.95)]
    log_a, log_b, log_c = _least_squares(x, y, starts)
    return float(np.exp(np.logaddexp(log_a - np.exp(log_b) * at / middle, log_c))) * scale


def _solve(
    sizes: Floats, log_maes: Floats, near: tuple[float, float, float] | None = None
) -> tuple[float, float, float]:
    """Fit MAE = a N^-b + c, and return a, b and c.

    The fit is over the logarithms of a, b and c, which keeps all three positive. Sizes and errors are scaled to about
    1.

    Args:
        sizes: sizes N, `[K]`.
        log_maes: natural logarithms of the MAEs, `[K]`.
        near: a, b and c to start from; None for several usual starts.
    """
    middle, scale = float(np.exp(np.log(sizes).mean())), float(np.exp(log_maes.min()))
    x, y = np.log(sizes / middle), log_maes - np.log(scale)
    slope, level = np.polyfit(x, y, 1)

    starts = [(level, np.log(max(-slope, 0.05)), np.log(floor)) for floor in (1e-4, 0.5)]
    if near:
        a, b, c = near
        starts = [(np.log(a / scale) - b * np.log(middle), np.log(b), np.log(max(c / scale, 1e-6)))]
    log_a, log_b, log_c = _least_squares(x, y, starts)
    b = float(np.exp(log_b))
    return float(np.exp(log_a + b * np.log(middle))) * scale, b, float(np.exp(log_c)) * scale


def _least_squares(x: Floats, y: Floats, starts: list[tuple[float, float, float]]) -> Floats:
    """Fit y = log(a exp(-b x) + c) from the best of some starts; return the logarithms of a, b and c."""

    def residuals(parameters: Floats) -> Floats:
        log_a, log_b, log_c = np.clip(parameters, -_FARTHEST, _FARTHEST)
        return np.logaddexp(log_a - np.exp(log_b) * x, log_c) - y

    def slopes(parameters: Floats) -> Floats:
        log_a, log_b, log_c = np.clip(parameters, -_FARTHEST, _FARTHEST)
        share = special.expit(log_a - np.exp(log_b) * x - log_c)  # share of the falling part in the whole error
        return np.stack([share, -share * np.exp(log_b) * x, 1 - share], axis=1)

    # With `full_output`, leastsq returns its last point after `maxfev` steps instead of warning about their number.
    found = [
        optimize.leastsq(residuals, start, Dfun=slopes, maxfev=_MOST_STEPS, full_output=True)[0] for start in starts
    ]
    best = min(found, key=lambda parameters: float(np.square(residuals(parameters)).sum()))
    return np.clip(best, -_FARTHEST, _FARTHEST)
