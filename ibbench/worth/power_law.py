"""The law of a learning curve: MAE = a N^-b + c."""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from ibbench.worth.curves import Curve, Floats, interval

MIN_SIZES = 5  # two more than the law has parameters
_DRAWS = 300  # that the law is fitted to
_MOST_STEPS = 200  # a floor of 0 is at minus infinity, where steps never end
_FARTHEST = np.array([30.0, 3.0, 30.0])  # that the logarithms of a, b and c may go: b is at most 20
_NOTHING = 1e-3  # of the lowest MAE: a floor below that is none


class Fit(NamedTuple):
    """MAE = a N^-b + c, with 95 % intervals.

    Attributes:
        a: in the unit of the target; the error at one label, were the law to hold there.
        b: the exponent.
        c: the floor that more labels do not lower, in the unit of the target; at least 0.
        a_interval: of a.
        b_interval: of b.
        c_interval: of c.
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
        (lowest, highest),
        curve.maes / (a * curve.sizes**-b + c) - 1,
        lowest > 0,
        grid,
        np.quantile(laws, [0.025, 0.975], axis=0),
    )


def _solve(
    sizes: Floats, log_maes: Floats, near: tuple[float, float, float] | None = None
) -> tuple[float, float, float]:
    """Fit the logarithms of a, b and c, which keeps all three positive; sizes and errors are scaled to about 1."""
    middle, scale = float(np.exp(np.log(sizes).mean())), float(np.exp(log_maes.min()))
    x, y = np.log(sizes / middle), log_maes - np.log(scale)
    slope, level = np.polyfit(x, y, 1)

    def residuals(parameters: Floats) -> Floats:
        log_a, log_b, log_c = np.clip(parameters, -_FARTHEST, _FARTHEST)
        return np.logaddexp(log_a - np.exp(log_b) * x, log_c) - y

    def slopes(parameters: Floats) -> Floats:
        log_a, log_b, log_c = np.clip(parameters, -_FARTHEST, _FARTHEST)
        share = special.expit(log_a - np.exp(log_b) * x - log_c)  # of what falls, in the whole
        return np.stack([share, -share * np.exp(log_b) * x, 1 - share], axis=1)

    starts = [(level, np.log(max(-slope, 0.05)), np.log(floor)) for floor in (1e-4, 0.5)]
    if near:
        a, b, c = near
        starts = [(np.log(a / scale) - b * np.log(middle), np.log(b), np.log(max(c / scale, 1e-6)))]
    # With its full output it returns where it got to, instead of warning that it could have gone on.
    found = [
        optimize.leastsq(residuals, start, Dfun=slopes, maxfev=_MOST_STEPS, full_output=True)[0] for start in starts
    ]
    best = min(found, key=lambda parameters: float(np.square(residuals(parameters)).sum()))
    log_a, log_b, log_c = np.clip(best, -_FARTHEST, _FARTHEST)
    b = float(np.exp(log_b))
    return float(np.exp(log_a + b * np.log(middle))) * scale, b, float(np.exp(log_c)) * scale
