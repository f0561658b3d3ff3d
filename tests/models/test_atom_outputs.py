"""Models with a number per atom: it moves with its atom, or does not where the model has no such symmetry."""

from collections.abc import Callable

import pytest
import torch

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models.registry import Model, build_model
from ibbench.options.model import ModelOptions
from tests.models.test_biases import OF_ANY_SIZE, SET_MODELS, STRING_MODELS

BuildAtoms = Callable[..., Model]


@pytest.fixture
def build_atoms(options: Callable[..., ModelOptions]) -> BuildAtoms:
    """Build a narrow model that predicts atoms, in float64, with weights that leave nothing at zero."""

    def make(name: str, *overrides: str) -> Model:
        composed = options(name, *overrides).model_copy(update={"output": "atoms"})
        model = build_model(QM9_PADDING["implicit"], composed).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        return model

    return make


def _in_another_order(molecules: Molecules, order: torch.Tensor, model: Model) -> tuple[torch.Tensor, float]:
    """Return how far predictions in another order are from those of the same atoms, and their spread."""
    predicted = model(molecules)
    moved = model(molecules.relabel(order))
    return (moved - predicted.gather(1, order.expand(predicted.shape))).abs().max(), predicted.std().item()


@pytest.mark.parametrize("name", SET_MODELS)
def test_the_number_of_an_atom_moves_with_it(name: str, build_atoms: BuildAtoms, molecules: Molecules) -> None:
    order = random_order(molecules.mask, torch.rand(molecules.mask.shape))
    model = build_atoms(name)
    assert _in_another_order(molecules, order, model)[0] < 1e-9
    assert _in_another_order(molecules, torch.randperm(9), model)[0] < 1e-9  # padding may lie between the atoms


@pytest.mark.parametrize("name", ["mlp", "residual_pathway"])
def test_it_does_not_in_a_model_without_the_symmetry(name: str, build_atoms: BuildAtoms, molecules: Molecules) -> None:
    order = random_order(molecules.mask, torch.rand(molecules.mask.shape))
    error, spread = _in_another_order(molecules, order, build_atoms(name))
    assert error > 0.1 * spread > 0


@pytest.mark.parametrize("name", ["mlp", "residual_pathway", *SET_MODELS])
def test_there_is_a_number_for_each_atom_and_0_for_padding(
    name: str, build_atoms: BuildAtoms, molecules: Molecules
) -> None:
    predicted = build_atoms(name)(molecules)
    assert predicted.shape == molecules.mask.shape
    assert not predicted[~molecules.mask].any()
    assert predicted[molecules.mask].all()


@pytest.mark.parametrize("name", [name for name in OF_ANY_SIZE if name not in STRING_MODELS])
def test_atoms_are_told_what_the_rest_of_the_molecule_is(
    name: str, build_atoms: BuildAtoms, molecules: Molecules
) -> None:
    """An atom reads the pooled molecule: a change of the last atom reaches all the others, however far they are."""
    other = molecules.atoms.clone()
    last = molecules.mask.sum(1) - 1
    other[torch.arange(len(other)), last, :3] += 1
    model = build_atoms(name)
    changed = (model(molecules._replace(atoms=other)) - model(molecules)).abs() > 1e-12
    assert changed[molecules.mask].all()


def test_the_pooling_and_the_final_norm_of_the_recipe_are_those_of_molecules(
    build_atoms: BuildAtoms, molecules: Molecules
) -> None:
    for pooling in ("sum", "mean", "max"):
        model = build_atoms("deep_sets", f"model.pooling={pooling}", "model.final_norm=true")
        states = model.readout.norm(model.states(molecules), molecules.mask)
        one = states[40][molecules.mask[40]]
        pooled = {"sum": one.sum(0), "mean": one.mean(0), "max": one.amax(0)}[pooling]
        expected = model.readout.rho(torch.cat([one, pooled.expand(one.shape)], dim=-1)).squeeze(-1)
        assert torch.allclose(model(molecules)[40][molecules.mask[40]], expected)
