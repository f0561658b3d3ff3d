"""Bits that are required, where they have a closed form."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from ibbench.options.config import Config
from ibbench.probes.required_bits import OF_DRAW, OF_MEAN, REQUIRED, RequiredBits, bits
from ibbench.probes.subject.quadratic import log_probability_below
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


@pytest.mark.parametrize("bound", [60.0, 30.0, 20.0, 8.0, 1.0, 0.01])
def test_equal_variances_are_a_non_central_chi_square(bound: float) -> None:
    offsets = np.random.default_rng(0).normal(size=20)
    variance = 0.5
    exact = stats.ncx2.logcdf(bound / variance, 20, float(offsets @ offsets) / variance)
    found = log_probability_below(bound, np.full(20, variance), offsets)
    assert found == pytest.approx(exact, abs=0.02)


def test_the_formula_passes_smoothly_through_the_mean() -> None:
    variances, offsets = np.ones(30), np.zeros(30)
    for bound in 30 + np.array([-1e-2, -1e-3, 0.0, 1e-3, 1e-2]):
        assert log_probability_below(bound, variances, offsets) == pytest.approx(stats.chi2.logcdf(bound, 30), abs=1e-3)


def test_uneven_variances_are_those_of_draws() -> None:
    draws = np.random.default_rng(0)
    mixed = draws.normal(size=(12, 12)) * np.geomspace(1, 0.05, 12)
    offsets = draws.normal(size=12) / 2
    covariance = mixed @ mixed.T
    errors = draws.multivariate_normal(offsets, covariance, size=400_000)
    rmse = np.sqrt(np.square(errors).mean(1))
    for share in (0.5, 0.1, 0.002):
        bound = float(np.quantile(rmse, share))
        assert bits(covariance, offsets, bound) == pytest.approx(-np.log2(share), abs=0.1)
    assert bits(covariance, offsets, 1e3) == pytest.approx(0, abs=1e-6)
    assert bits(1e-12 * covariance, offsets, 1e-3) > 1e6  # all hypotheses are wrong


def test_smaller_errors_take_more_bits_of_a_real_model(config: Callable[..., Config]) -> None:
    subject = Subject(plan(config("experiment=tiny", "model=gnn", "targets=[gap,mu]")), 0, ["gap", "mu"], "init", 80)
    found = {(one.quantity, one.part, one.target): one.value for one in RequiredBits().measure(subject)}
    for target in ("gap", "mu"):
        needed = [found[REQUIRED, f"RMSE at most {error} sd", target] for error in ("1", "0.5", "0.25")]
        assert 0 <= needed[0] < needed[1] < needed[2]
        assert 0.1 < found[OF_MEAN, "", target] < found[OF_DRAW, "", target] < 3
