"""Verdicts are right as often as they say: simulations of known truth, a few quick ones and the long ones."""

import math

import pytest

from tests.compare import simulations


def at_most(rate: float, nominal: float, draws: int) -> bool:
    """Whether a rate is no higher than it should be, but for the chance of so many draws (three deviations)."""
    return rate <= nominal + 3 * math.sqrt(nominal * (1 - nominal) / draws)


@pytest.mark.parametrize(("models", "draws"), [(4, 100), (13, 20)])
def test_of_equal_models_none_is_called_worse(models: int, draws: int) -> None:
    assert at_most(simulations.equal_models(draws, models, 3), 0.05, draws)


def test_no_step_of_a_worthless_ladder_is_called_a_gain() -> None:
    assert at_most(simulations.worthless_ladder(50), 0.05, 50)


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("molecules", [50, 1000])
def test_tables_without_runs_are_compared_over_molecules_too(seeds: int, molecules: int) -> None:
    for correlation in (0.0, 0.8):
        assert at_most(simulations.diff_of_tables(150, seeds, molecules, correlation), 0.05, 150)


def test_rows_of_tables_without_runs_borrow_from_each_other() -> None:
    now, before = (simulations.regression_is_proven(15, older=older) for older in (False, True))
    assert now > 0.5
    assert before < now / 3


@pytest.mark.parametrize("molecules", [50, 500])
def test_a_baseline_of_the_same_error_is_not_told_from_a_model(molecules: int) -> None:
    assert at_most(simulations.baseline(300, molecules), 0.06, 300)
    assert simulations.baseline(50, molecules, with_errors=False) > 0.3  # as when molecules were not counted


@pytest.mark.parametrize("molecules", [3, 10, 30, 100])
def test_few_test_molecules_tell_no_more_than_they_know(molecules: int) -> None:
    assert at_most(simulations.few_molecules(200, molecules, simulations.normal), 0.05, 200)
    assert at_most(simulations.few_molecules(200, molecules, simulations.skewed), 0.06, 200)


def test_models_that_no_seed_changes_make_no_false_verdicts() -> None:
    single, tables = simulations.some_models_do_not_vary(60)
    assert at_most(single, 0.06, 60)
    assert at_most(tables, 0.05, 60)


@pytest.mark.bench
@pytest.mark.parametrize(("models", "seeds", "draws"), [(4, 2, 600), (4, 5, 600), (13, 3, 150)])
def test_of_equal_models_none_is_called_worse_in_many_tables(models: int, seeds: int, draws: int) -> None:
    assert at_most(simulations.equal_models(draws, models, seeds), 0.05, draws)


@pytest.mark.bench
def test_no_step_of_many_worthless_ladders_is_called_a_gain() -> None:
    assert at_most(simulations.worthless_ladder(300), 0.05, 300)


@pytest.mark.bench
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_many_large_tables_without_runs(seeds: int) -> None:
    assert at_most(simulations.diff_of_tables(250, seeds, 10_000, 0.0), 0.05, 250)
    assert simulations.diff_of_tables(200, seeds, 1000, 0.0, older=True) > 0.05  # as when molecules were not counted


@pytest.mark.bench
@pytest.mark.parametrize("molecules", [3, 5, 10, 20, 50, 100])
def test_few_test_molecules_in_many_tables(molecules: int) -> None:
    assert at_most(simulations.few_molecules(1500, molecules, simulations.normal), 0.05, 1500)
    assert at_most(simulations.few_molecules(1500, molecules, simulations.skewed), 0.06, 1500)
