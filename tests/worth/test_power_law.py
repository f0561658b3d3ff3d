"""The law of a learning curve: known parameters are found, and what cannot be known is said."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import curve_fit

from ibbench.worth.curves import Curve, draw_curves
from ibbench.worth.power_law import FORMS, MIN_SIZES, fit_power_law, foretell
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
        assert not fit.c_interval[0] > 0 or fit.floor_known
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


def test_a_floor_that_no_draw_finds_has_no_interval_of_zero_width(exact: Callable[..., Curve]) -> None:
    curve = exact(evaluate((3.0, 0.35, 0.0)), SIZES)
    fit = fit_power_law(curve, draw_curves([curve])[0])
    assert fit
    assert fit.c == 0
    assert np.isnan([fit.a_interval, fit.b_interval, fit.c_interval]).all()  # one seed, and nothing of molecules


def test_the_law_that_a_curve_follows_foretells_its_largest_size(exact: Callable[..., Curve]) -> None:
    truths = {
        "with_floor": evaluate((30.0, 0.7, 0.2)),
        "without_floor": evaluate((3.0, 0.3, 0.0)),
        "exponential": 0.5 * np.exp(-np.array(SIZES) / 1500.0) + 0.2,
    }
    assert truths.keys() == FORMS.keys()
    for form, maes in truths.items():
        foretold = foretell(exact(maes, SIZES))
        assert foretold
        assert foretold.size == SIZES[-1]
        assert abs(foretold.errors[form]) < 1e-3
        assert foretold.best == form  # where there is no floor, the law with one is as good: the simpler is named
        changed = foretell(exact([*maes[:-1], 2 * maes[-1]], SIZES))  # what is held out has no part in the fit
        assert changed
        assert changed.errors[form] == pytest.approx(-0.5, abs=1e-3)
    assert foretell(exact(truths["with_floor"][: MIN_SIZES - 1], SIZES[: MIN_SIZES - 1])) is None


def test_a_power_law_is_foretold_through_noise_and_an_exponential_misses_it(make_curves: MakeCurves) -> None:
    random = np.random.RandomState(10)
    misses = {form: [] for form in FORMS}
    for _ in range(20):
        (curve,) = make_curves(random, (3.0, 0.35, 0.0), noise=0.01)
        foretold = foretell(curve)
        assert foretold
        for form, error in foretold.errors.items():
            misses[form].append(abs(error))
    assert np.median(misses["without_floor"]) < 0.02
    assert np.median(misses["exponential"]) > 0.2
