from collections.abc import Callable

import pytest

from ibbench.config import Config
from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS
from ibbench.models.budget import build_model, count_flops, count_parameters, fit_to_budget


@pytest.mark.parametrize("name", STANDARD_MODELS)
@pytest.mark.parametrize("parameters", [20_000, 100_000, 1_000_000])
@pytest.mark.parametrize("depth", [2, 4, 7])
def test_width_is_solved_to_within_two_percent(
    name: str, parameters: int, depth: int, config: Callable[..., Config]
) -> None:
    options = fit_to_budget(9, config(f"model={name}", f"model.depth={depth}").model, parameters)
    model = build_model(9, options)
    reached = sum(parameter.numel() for parameter in model.parameters())
    assert abs(reached / parameters - 1) <= 0.02
    assert reached == count_parameters(9, options)
    width, hidden = options.sizes
    assert 0.5 < hidden / (2 * width) < 2  # the hidden layer only fills the gap


def test_a_budget_that_no_width_meets_is_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"`budget.parameters=300` cannot be met by mlp"):
        fit_to_budget(9, config("model=mlp").model, 300)


def test_flops_of_the_mlp_are_two_for_each_weight(config: Callable[..., Config]) -> None:
    options = config("model=mlp", "budget=null", "model.width=10", "model.depth=1").model
    inputs = 9 * NUM_ATOM_FEATURES + 36 * NUM_BOND_TYPES
    weights = inputs * 10 + (10 * 20 + 20 * 10) + (10 * 10 + 10 * 1)
    assert count_flops(9, options) == 2 * weights


def test_flops_of_deep_sets_are_nine_times_phi_and_once_rho(config: Callable[..., Config]) -> None:
    options = config("model=deep_sets", "budget=null", "model.width=10", "model.depth=1").model
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    assert count_flops(9, options) == 2 * (9 * phi + rho)


def test_counting_leaves_the_random_state_alone(config: Callable[..., Config]) -> None:
    import torch

    before = torch.get_rng_state()
    count_flops(9, config("model=gnn", "budget=null").model)
    count_parameters(9, config("model=gnn", "budget=null").model)
    assert torch.equal(before, torch.get_rng_state())
