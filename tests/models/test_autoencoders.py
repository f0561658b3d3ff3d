"""Autoencoders: what they restore, and closed cases of their errors."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch.func import vmap

from ibbench.baselines.reconstruction.pca import Components, find_components
from ibbench.data.dataset import DataSet
from ibbench.data.molecules import Molecules
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models.layers.code import Corruption
from ibbench.models.layers.flat import flatten
from ibbench.models.layers.matching import matched_distance
from ibbench.models.registry import Model, build_model
from ibbench.options.model import ModelOptions
from ibbench.probes.symmetry import symmetry_error

Options = Callable[..., ModelOptions]
Build = Callable[..., Model]
LINEAR = ("model.activation=identity", "model.normalisation=none", "model.depth=1")


def test_only_the_autoencoder_of_sets_restores_molecules_whatever_the_order(build: Build, molecules: Molecules) -> None:
    assert symmetry_error(build("set_autoencoder"), molecules, "permutation", 0).largest < 1e-9
    assert symmetry_error(build("autoencoder"), molecules, "permutation", 0).relative > 0.01


def test_the_code_of_a_set_does_not_depend_on_the_order(build: Build, molecules: Molecules) -> None:
    model, moved = build("set_autoencoder"), molecules.relabel(torch.randperm(9))
    assert torch.allclose(model.states(molecules), model.states(moved), atol=1e-9)
    assert model.states(molecules).shape == (64, 8)


@pytest.mark.parametrize("seed", range(3))
def test_the_match_is_the_best_of_all(seed: int) -> None:
    torch.manual_seed(seed)
    one, other = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    orders = [list(order) for order in itertools.permutations(range(4))]
    every = torch.stack([(one - other[:, order]).square().sum((1, 2)) for order in orders])
    assert torch.allclose(matched_distance(one, other), every.amin(0), rtol=1e-12)
    assert torch.equal(vmap(matched_distance)(one[None], other[None])[0], matched_distance(one, other))


def test_sets_differ_by_nothing_but_their_elements() -> None:
    one = torch.randn(5, 4, 3, dtype=torch.float64)
    assert matched_distance(one, one[:, torch.randperm(4)]).abs().max() == 0
    twice = torch.cat([one[:, :3], one[:, :1]], dim=1)  # one element twice in the place of another
    assert matched_distance(one, twice).min() > 0


def test_the_distance_of_sets_can_be_differentiated() -> None:
    one, other = torch.randn(2, 2, 3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(matched_distance, (one, other.requires_grad_()))


def _with_components(model: Model, found: Components) -> None:
    """Give a linear autoencoder the weights with which it does what principal components do."""
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    number, size = found.directions.shape
    state["embed.weight"][:number], state["embed.bias"][:number] = found.directions, -found.directions @ found.mean
    state["code.weight"][:, :number] = torch.eye(number)
    state["decoder.embed.weight"][:number] = torch.eye(number)
    state["decoder.out.weight"][:, :number], state["decoder.out.bias"][:] = found.directions.T, found.mean
    assert state["decoder.out.bias"].shape == (size,)
    model.load_state_dict(state)


@pytest.fixture
def linear(options: Options) -> Model:
    torch.manual_seed(0)
    return build_model(QM9_PADDING["implicit"], options("autoencoder", *LINEAR, "model.latent=3")).double()


def test_principal_components_are_a_linear_autoencoder_that_no_step_improves(linear: Model, qm9: DataSet) -> None:
    counts = qm9.molecules.select(torch.arange(1000, 1100))
    found = find_components(counts, 3)
    molecules = counts._replace(atoms=(counts.atoms - found.atom_mean).double() * counts.mask[..., None])
    _with_components(linear, found)
    errors = linear(molecules)
    assert torch.allclose(errors, found.errors(counts), rtol=1e-6)
    errors.mean().backward()
    gradients = [parameter.grad.abs().max().item() for parameter in linear.parameters() if parameter.grad is not None]
    assert max(gradients) < 1e-4 * errors.mean().item()


@pytest.mark.slow
def test_a_trained_linear_autoencoder_comes_to_principal_components(linear: Model, qm9: DataSet) -> None:
    counts = qm9.molecules.select(torch.arange(1000, 1100))
    found = find_components(counts, 3)
    molecules = counts._replace(atoms=(counts.atoms - found.atom_mean).double() * counts.mask[..., None])
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=600, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = linear(molecules).mean()
        value.backward()
        return value

    optimizer.step(loss)
    best = float(found.errors(counts).mean())
    assert best - 1e-9 <= linear(molecules).mean().item() < 1.01 * best


def test_the_error_is_that_of_the_flat_molecule(build: Build, molecules: Molecules) -> None:
    model = build("autoencoder")
    restored = model.decoder(model.states(molecules))
    assert torch.allclose(model(molecules), (flatten(molecules) - restored).square().sum(1))


def test_inputs_are_hidden_in_training_only_and_by_the_key_alone() -> None:
    layer, x = Corruption(0.3), torch.ones(200, 100)
    layer.eval()
    assert torch.equal(layer(x), x)
    layer.train()
    hidden = layer(x)
    assert (hidden == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert set(hidden.unique().tolist()) == {0.0, 1.0}  # what is left keeps its size
    assert torch.equal(layer(x), hidden)
    layer.key.fill_(1)
    assert not torch.equal(layer(x), hidden)
