"""Figures keep their digits at any scale."""

import math

import pytest

from ibbench.report.cells import Notation, difference, figure, notation_of, with_interval, with_spread


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (0.25149, 0.00187, "0.2515 ± 0.0019"),
        (12_345.6, 0.0, "12346 ± 0"),
        (8.1856e-9, 2.47e-10, "8.186e-9 ± 0.247e-9"),
        (1_730_965.0, None, "1.731e6"),
        (8.2e90, 1e89, "8.200e90 ± 0.100e90"),
        (3e-300, None, "3.000e-300"),
        (0.0, 0.0, "0.0000 ± 0.0000"),
    ],
)
def test_means_and_deviations_share_decimals_and_exponent(mean: float, spread: float | None, text: str) -> None:
    assert with_spread(mean, spread) == text


@pytest.mark.parametrize("exponent", range(-300, 301, 50))
def test_every_scale_has_its_digits(exponent: int) -> None:
    value = -1.234567 * 10.0**exponent
    assert float(figure(value, 3)) == pytest.approx(value, rel=5e-3)
    assert len(figure(value, 3)) < 12


def test_intervals_and_differences_share_an_exponent() -> None:
    assert with_interval(2e-9, 1e-9, 3e-9, notation_of(2e-9, 3)) == "2.00e-9 [1.00e-9, 3.00e-9]"
    row = {"difference": -2e7, "difference_low": -3e7, "difference_high": 1e5}
    assert difference(row) == "-2.00e7 [-3.00e7, 0.01e7]"
    assert with_interval(0.5, math.nan, math.nan, Notation(2)) == "0.50"
