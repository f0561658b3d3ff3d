from collections.abc import Callable

import pytest

from ibbench.config import Config
from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS
from ibbench.models.budget import fit_to_budget
from ibbench.models.cost import count_flops, count_parameters
from ibbench.models.registry import build_model


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
    assert 1 / 1.3 < hidden / (2 * width) < 1.3  # the hidden layer only fills the gap


def test_a_budget_that_no_width_meets_is_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"`budget.value=100` cannot be met by mlp"):
        fit_to_budget(9, config("model=mlp").model, 100)


def test_flops_of_the_mlp_are_two_for_each_weight(config: Callable[..., Config]) -> None:
    options = config("model=mlp", "budget=null", "model.width=10", "model.depth=1").model
    inputs = 9 * NUM_ATOM_FEATURES + 36 * NUM_BOND_TYPES
    weights = inputs * 10 + (10 * 20 + 20 * 10) + (10 * 10 + 10 * 1)
    assert count_flops(9, options) == 2 * weights


def test_flops_of_deep_sets_are_nine_times_phi_and_once_rho(config: Callable[..., Config]) -> None:
    options = config("model=deep_sets", "budget=null", "model.width=10", "model.depth=1").model
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    assert count_flops(9, options) == 2 * (9 * phi + rho)


def test_flops_of_the_gnn_add_messages_and_their_sums(config: Callable[..., Config]) -> None:
    options = config("model=gnn", "budget=null", "model.width=10", "model.depth=1").model
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    sums = 9 * (9 * NUM_BOND_TYPES) * 10
    assert count_flops(9, options) == 2 * (9 * (phi + 10 * 20) + sums + rho)


def test_flops_of_attention_add_scores_and_mixtures(config: Callable[..., Config]) -> None:
    options = config("model=graph_transformer", "budget=null", "model.width=16", "model.depth=1").model
    phi, rho = NUM_ATOM_FEATURES * 16 + (16 * 32 + 32 * 16), 16 * 16 + 16 * 1
    attention = 9 * (3 * 16 * 16 + 16 * 16) + 2 * 9 * 9 * 16
    hops = (options.max_hops - 1) * 9 * 9 * 9  # distances are found with products of the adjacency matrix
    assert count_flops(9, options) == 2 * (9 * phi + attention + rho + hops)


@pytest.mark.parametrize("num_atoms", [9, 29, 66, 78, 92, 117, 128])
def test_the_default_budget_can_be_met_for_molecules_of_any_size(num_atoms: int, config: Callable[..., Config]) -> None:
    for name in STANDARD_MODELS:
        options = fit_to_budget(num_atoms, config(f"model={name}").model, 100_000)
        assert count_parameters(num_atoms, options) == pytest.approx(100_000, rel=0.02)


def test_counting_leaves_the_random_state_alone(config: Callable[..., Config]) -> None:
    import torch

    before = torch.get_rng_state()
    count_flops(9, config("model=gnn", "budget=null").model)
    count_parameters(9, config("model=gnn", "budget=null").model)
    assert torch.equal(before, torch.get_rng_state())
