"""The law of a learning curve: known parameters are found, and what cannot be known is said."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import curve_fit

from ibbench.worth.curves import Curve, draw_curves
from ibbench.worth.power_law import MIN_SIZES, fit_power_law
from tests.worth.conftest import SIZES, Law, MakeCurves, evaluate

LAW: Law = (3.0, 0.5, 0.05)


def test_the_law_of_a_curve_without_noise_is_found(exact: Callable[..., Curve]) -> None:
    for law in (LAW, (80.0, 0.9, 0.2), (0.6, 0.1, 0.01)):
        curve = exact(evaluate(law), SIZES)
        fit = fit_power_law(curve, draw_curves([curve])[0])
        assert fit
        assert fit[:3] == pytest.approx(law, rel=0.05)
        assert np.abs(fit.residuals).max() < 1e-4


def test_the_fit_is_scipys_of_the_logarithms(make_curves: MakeCurves) -> None:
    (curve,) = make_curves(np.random.RandomState(3), LAW)
    fit = fit_power_law(curve, draw_curves([curve])[0])
    assert fit
    expected, _ = curve_fit(
        lambda size, a, b, c: np.log(a * size**-b + c), curve.sizes, np.log(curve.maes), (1, 0.5, 0.01), maxfev=10_000
    )
    assert fit[:3] == pytest.approx(expected, rel=0.02)


def test_too_few_sizes_give_no_law(exact: Callable[..., Curve]) -> None:
    curve = exact(evaluate(LAW)[: MIN_SIZES - 1], SIZES[: MIN_SIZES - 1])
    assert fit_power_law(curve, draw_curves([curve])) is None


def test_intervals_of_the_law_hold_the_truth_95_times_in_100(make_curves: MakeCurves) -> None:
    random, repeats = np.random.RandomState(7), 60
    held, floors = np.zeros(3), 0
    for _ in range(repeats):
        (curve,) = make_curves(random, LAW, num_seeds=5, noise=0.01)
        fit = fit_power_law(curve, draw_curves([curve], num_draws=100)[0])
        assert fit
        intervals = (fit.a_interval, fit.b_interval, fit.c_interval)
        held += [low <= true <= high for true, (low, high) in zip(LAW, intervals, strict=True)]
        floors += fit.floor_known
    assert (held / repeats >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / repeats)).all()
    assert floors > 0.9 * repeats


def test_a_floor_that_is_not_there_is_not_claimed(make_curves: MakeCurves) -> None:
    random, repeats = np.random.RandomState(8), 40
    claimed = 0
    for _ in range(repeats):
        (curve,) = make_curves(random, (3.0, 0.35, 0.0))
        fit = fit_power_law(curve, draw_curves([curve], num_draws=100)[0])
        assert fit
        claimed += fit.floor_known
        assert fit.c_interval[0] == 0 or fit.floor_known
    assert claimed <= 0.025 * repeats + 3 * math.sqrt(0.025 * repeats)


def test_the_band_holds_the_law(make_curves: MakeCurves) -> None:
    (curve,) = make_curves(np.random.RandomState(9), LAW)
    fit = fit_power_law(curve, draw_curves([curve])[0])
    assert fit
    low, high = fit.band
    law = fit(fit.grid)
    assert ((low <= law * 1.001) & (law <= high * 1.001)).mean() > 0.9
    assert (low < high).all()


def test_a_curve_that_is_no_law_still_gets_finite_figures(exact: Callable[..., Curve]) -> None:
    for maes, sizes in (
        ([0.5, 0.1, 0.1, 0.1, 0.1], [32000, 32001, 32002, 64000, 64001]),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [100, 200, 400, 800, 1600]),
    ):
        curve = exact(maes, sizes)
        fit = fit_power_law(curve, draw_curves([curve])[0])
        assert fit
        assert np.isfinite([fit.a, fit.b, fit.c, *fit.residuals]).all()
