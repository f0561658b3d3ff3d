"""What is saved: known multipliers, known bits, and intervals that hold the truth as often as they say."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from ibbench.worth.curves import Curve, draw_curves
from ibbench.worth.saving import Multiplier, multiplier, prequential_bits
from tests.worth.conftest import MakeCurves, evaluate

Exact = Callable[..., Curve]


def _compare(a: Curve, b: Curve, at: float) -> Multiplier:
    return multiplier(a, b, *draw_curves([a, b]), at)


def test_a_model_that_needs_a_third_of_the_labels_is_worth_three_times_the_labels(exact: Exact) -> None:
    sizes = [100, 300, 900, 2700]
    b = exact([size**-0.5 for size in sizes], sizes)
    a = exact([(3 * size) ** -0.5 for size in sizes], sizes)
    assert _compare(a, b, 300).value == pytest.approx(3)
    assert _compare(a, b, 200).value == pytest.approx(3)  # between sizes: a power law is a line in log-log
    assert _compare(b, a, 900).value == pytest.approx(1 / 3)
    assert _compare(a, a, 300).value == pytest.approx(1)


def test_beyond_the_sizes_that_were_trained_only_a_bound_is_known(exact: Exact) -> None:
    sizes = [100, 200, 400]
    good, bad = exact([0.3, 0.2, 0.1], sizes), exact([0.9, 0.8, 0.7], sizes)
    never, at_once = _compare(good, bad, 200), _compare(bad, good, 200)
    assert (never.value, never.most) == (math.inf, 2)
    assert (at_once.value, at_once.least) == (0, 0.5)


def test_a_bump_in_a_curve_does_not_undo_what_was_reached_before(exact: Exact) -> None:
    bumpy = exact([0.5, 0.2, 0.3, 0.1], [100, 200, 400, 800])
    goal = exact([0.25, 0.25], [100, 800])
    assert 100 < 200 * _compare(goal, bumpy, 200).value < 200


def test_bits_of_a_model_against_itself_are_none_and_half_the_error_is_one_bit(make_curves: MakeCurves) -> None:
    a, b = make_curves(np.random.RandomState(0), (3, 0.4, 0.0), (6, 0.4, 0.0))
    itself = prequential_bits(a, a, *draw_curves([a, a]))
    assert itself == (0, 0, 0)
    halved = b._replace(
        entries=tuple(
            entry._replace(sample=entry.sample._replace(maes=entry.sample.maes / 2, errors=entry.sample.errors / 2))
            for entry in b.entries
        )
    )
    half = prequential_bits(halved, b, *draw_curves([halved, b]))
    assert half.value == pytest.approx(1)
    assert half.low == pytest.approx(1, abs=1e-4)
    assert half.high == pytest.approx(1, abs=1e-4)


def test_bits_weigh_a_block_by_its_labels(exact: Exact) -> None:
    sizes = [100, 200, 1100]  # blocks of 100 and of 900 labels; what the last size reaches codes none
    a, b = exact([0.5, 0.25, 0.01], sizes), exact([0.5, 0.5, 0.5], sizes)
    assert prequential_bits(a, b, *draw_curves([a, b])).value == pytest.approx((100 * 0 + 900 * 1) / 1000)


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_intervals_of_multiplier_and_bits_hold_the_truth_95_times_in_100(
    num_seeds: int, make_curves: MakeCurves
) -> None:
    random, repeats, at = np.random.RandomState(num_seeds), 250, 1000
    laws = (3, 0.35, 0.0), (4, 0.35, 0.0)
    true_multiplier = (4 / 3) ** (1 / 0.35)
    true_bits = math.log2(4 / 3)
    held = np.zeros(2)
    for _ in range(repeats):
        a, b = make_curves(random, *laws, num_seeds=num_seeds)
        draws = draw_curves([a, b], num_draws=500)
        found, bits = multiplier(a, b, *draws, at), prequential_bits(a, b, *draws)
        held += [found.low <= true_multiplier <= found.high, bits.low <= true_bits <= bits.high]
    # Three standard errors of the share below 0.95; interpolation and shared molecules make it a little safer.
    assert (held / repeats >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / repeats)).all()
    assert (held / repeats < 0.998).all()


def test_intervals_are_narrower_with_more_seeds(make_curves: MakeCurves) -> None:
    def width(num_seeds: int) -> float:
        random, widths = np.random.RandomState(1), []
        for _ in range(20):
            a, b = make_curves(random, (3, 0.35, 0.0), (4, 0.35, 0.0), num_seeds=num_seeds, molecules=2000)
            found = multiplier(a, b, *draw_curves([a, b], num_draws=400), 1000)
            widths.append(math.log(found.high / found.low))
        return float(np.mean(widths))

    assert width(8) < 0.6 * width(3)


def test_the_curves_of_the_tests_are_what_they_should_be(make_curves: MakeCurves) -> None:
    (curve,) = make_curves(np.random.RandomState(0), (3, 0.35, 0.02), num_seeds=40, molecules=4000)
    assert curve.maes == pytest.approx(evaluate((3, 0.35, 0.02)), rel=0.05)
