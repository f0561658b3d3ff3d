"""The law of a learning curve: MAE = a N^-b + c; and how well it, or another, foretells the largest size."""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from ibbench.worth.curves import Curve, Floats, interval

MIN_SIZES = 5  # two more than the law has parameters
_DRAWS = 300  # that the law is fitted to
_MOST_STEPS = 200  # a floor of 0 is at minus infinity, where steps never end
_FARTHEST = np.array([30.0, 3.0, 30.0])  # that the logarithms of a, b and c may go: b is at most 20
_NOTHING = 1e-3  # of the lowest MAE: a floor below that is none
_UNKNOWN = (math.nan, math.nan)
FORMS = {  # the laws that are compared, and what they are called
    "without_floor": "power law",
    "with_floor": "power law with floor",
    "exponential": "exponential with floor",
}


class Fit(NamedTuple):
    """MAE = a N^-b + c, with 95 % intervals.

    Attributes:
        a: in the unit of the target; the error at one label, were the law to hold there.
        b: the exponent.
        c: the floor that more labels do not lower, in the unit of the target; at least 0.
        a_interval: of a.
        b_interval: of b.
        c_interval: of c; nan where all draws agree, as on no floor at all: that is no knowledge of its width.
        residuals: MAE / law - 1 at each size, `[K]`.
        floor_known: whether the data tell c from 0.
        grid: sizes at which the band is given, `[G]`.
        band: the law's 95 % interval there, `[2, G]`.
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
        """Return the law at `sizes`."""
        return self.a * sizes**-self.b + self.c


def fit_power_law(curve: Curve, draws: Floats) -> Fit | None:
    """Fit the law to a curve by least squares of the logarithm of the MAE; None below `MIN_SIZES` sizes.

    Args:
        curve: the errors as measured.
        draws: logarithms of the MAEs as they might have been, `[D, K]`; the law is fitted to some of them too.
    """
    if len(curve.sizes) < MIN_SIZES:
        return None
    a, b, c = _solve(curve.sizes, np.log(curve.maes))
    known = bool(np.isfinite(draws).all())  # if not, there is no interval
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
    """How well laws that were fitted without the largest size foretell it.

    Attributes:
        size: what was held out.
        errors: of each of `FORMS`, law / MAE - 1 there.
    """

    size: float
    errors: dict[str, float]

    @property
    def best(self) -> str:
        """The form that misses the least; of two that miss alike, to 0.1 %, the one without a floor."""
        return min(FORMS, key=lambda form: round(abs(self.errors[form]), 3))


def foretell(curve: Curve) -> Foretold | None:
    """Fit each of `FORMS` to all sizes but the largest, and compare it with what was measured there.

    No law of learning curves is universal (Viering & Loog 2023, IEEE Trans. Pattern Anal. Mach. Intell. 45, 7799), so
    what one says beyond the sizes that were trained is worth what it said of the last one before that was trained.

    Returns:
        None below `MIN_SIZES` sizes.
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
    """Fit a exp(-b N) + c, and return it at a size."""
    middle, scale = float(np.exp(np.log(sizes).mean())), float(np.exp(log_maes.min()))
    x, y = sizes / middle, log_maes - np.log(scale)
    height = max(float(y.max()), 0.01)
    starts = [(np.log(height), np.log(rate), np.log(floor)) for rate in (0.1, 1.0, 5.0) for floor in (0.3, 0.95)]
    log_a, log_b, log_c = _least_squares(x, y, starts)
    return float(np.exp(np.logaddexp(log_a - np.exp(log_b) * at / middle, log_c))) * scale


def _solve(
    sizes: Floats, log_maes: Floats, near: tuple[float, float, float] | None = None
) -> tuple[float, float, float]:
    """Fit the logarithms of a, b and c, which keeps all three positive; sizes and errors are scaled to about 1."""
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
        share = special.expit(log_a - np.exp(log_b) * x - log_c)  # of what falls, in the whole
        return np.stack([share, -share * np.exp(log_b) * x, 1 - share], axis=1)

    # With its full output it returns where it got to, instead of warning that it could have gone on.
    found = [
        optimize.leastsq(residuals, start, Dfun=slopes, maxfev=_MOST_STEPS, full_output=True)[0] for start in starts
    ]
    best = min(found, key=lambda parameters: float(np.square(residuals(parameters)).sum()))
    return np.clip(best, -_FARTHEST, _FARTHEST)
