"""Structure ablations change what they say, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ibbench.compare.statistics import Sample, compare
from ibbench.data.dataset import DataSet
from ibbench.data.graphs import alter_graph
from ibbench.data.molecules import Molecules
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.training.loop import prepare, train
from ibbench.training.packs import list_replicas
from ibbench.training.task import predict

ABLATIONS = ["empty", "complete", "untyped", "rewired", "shuffled_features"]


@pytest.fixture(scope="module")
def molecules(qm9: DataSet) -> Molecules:
    """Every 13th molecule of QM9."""
    return qm9.molecules.select(torch.arange(0, len(qm9), 13))


@pytest.mark.parametrize("graph", ABLATIONS)
def test_an_altered_graph_is_a_graph_of_the_same_atoms(graph: str, molecules: Molecules) -> None:
    altered = alter_graph(molecules, graph)
    bonds, mask = altered.bonds, molecules.mask
    assert bonds.dtype == molecules.bonds.dtype
    assert torch.equal(bonds, bonds.transpose(1, 2))
    assert not bonds.diagonal(dim1=1, dim2=2).any()
    assert not bonds[~(mask[:, :, None] & mask[:, None])].any()
    for name in ("mask", "positions", "tokens", *(["atoms"] if graph != "shuffled_features" else ["bonds"])):
        assert torch.equal(getattr(altered, name), getattr(molecules, name)), name


@pytest.mark.parametrize("graph", ["true", *ABLATIONS])
def test_altering_a_graph_twice_gives_the_same_and_leaves_the_original(graph: str, molecules: Molecules) -> None:
    before = [tensor.clone() for tensor in molecules]
    one, other = alter_graph(molecules, graph), alter_graph(molecules, graph)
    for first, second, old, now in zip(one, other, before, molecules, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(old, now)


def test_the_true_graph_is_as_it_was(molecules: Molecules) -> None:
    assert alter_graph(molecules, "true") is molecules


def test_the_empty_graph_has_no_bonds(molecules: Molecules) -> None:
    assert not alter_graph(molecules, "empty").bonds.any()


def test_the_complete_graph_bonds_each_pair_of_atoms_alike(molecules: Molecules) -> None:
    bonds, counts = alter_graph(molecules, "complete").bonds, molecules.mask.sum(1)
    assert bonds.max() == 1
    assert torch.equal(bonds.sum((1, 2)), counts * (counts - 1))


def test_untyped_bonds_are_where_bonds_were(molecules: Molecules) -> None:
    bonds = alter_graph(molecules, "untyped").bonds
    assert set(bonds.unique().tolist()) == {0, 1}
    assert torch.equal(bonds != 0, molecules.bonds != 0)


def test_rewiring_keeps_numbers_of_neighbours_and_types_of_bonds(molecules: Molecules) -> None:
    bonds = alter_graph(molecules, "rewired").bonds
    assert torch.equal((bonds != 0).sum(-1), (molecules.bonds != 0).sum(-1))
    assert torch.equal(bonds.flatten(1).sort(1).values, molecules.bonds.flatten(1).sort(1).values)


def test_rewiring_forgets_the_true_bonds_wherever_it_can(molecules: Molecules) -> None:
    true, bonds = molecules.bonds != 0, alter_graph(molecules, "rewired").bonds != 0
    large = molecules.mask.sum(1) >= 7
    assert (true != bonds)[large].flatten(1).any(1).float().mean() > 0.99
    assert (true & bonds)[large].sum() / true[large].sum() < 0.5
    # A pair of bonds without a common atom, both of whose new places are free, is all that can be swapped.
    assert torch.equal(true[molecules.mask.sum(1) <= 3], bonds[molecules.mask.sum(1) <= 3])


def test_shuffled_features_are_those_of_the_molecule_on_other_atoms(molecules: Molecules) -> None:
    atoms = alter_graph(molecules, "shuffled_features").atoms

    def rows(features: torch.Tensor, index: int) -> list[list[int]]:
        return sorted(features[index][molecules.mask[index]].tolist())

    for index in range(0, len(atoms), 50):
        assert rows(atoms, index) == rows(molecules.atoms, index)
    assert not atoms[~molecules.mask].any()
    large = molecules.mask.sum(1) >= 7
    assert (atoms != molecules.atoms)[large].flatten(1).any(1).float().mean() > 0.99


@pytest.fixture(scope="module")
def error_of(config: Callable[..., Config], qm9: DataSet) -> Callable[..., Sample]:
    """Train on 2,000 molecules with five seeds; return the errors of 5,000 test molecules."""

    def measure(*overrides: str) -> Sample:
        composed = config(
            "budget=null", "model.width=32", "model.depth=2", "data.train_size=2000", "data.validation_size=500",
            "data.test_size=5000", "seeds=[0,1,2,3,4]", "trainer.epochs=6", *overrides,
        )  # fmt: skip
        split = split_dataset(qm9, composed.data)
        task, state = prepare(composed, qm9, split, torch.device("cpu"), list_replicas(composed))
        for _ in train(task, state, composed):
            pass
        state.models.load(state.best)
        errors = (predict(task, state.models, split.test) - task.truth.values(split.test)).abs().numpy()
        return Sample(composed.seeds, errors.mean(1), errors)

    return measure


@pytest.mark.slow
def test_a_gnn_without_bonds_is_as_good_as_deep_sets_and_with_them_better(error_of: Callable[..., Sample]) -> None:
    deep_sets = error_of("model=deep_sets")
    without = compare(error_of("model=gnn", "data.graph=empty"), deep_sets).difference
    bonded = compare(error_of("model=gnn"), deep_sets).difference
    low, high = without.interval() or (np.nan, np.nan)
    assert low < 0 < high
    assert (bonded.interval() or (np.nan, np.nan))[1] < 0
    assert -bonded.value > 4 * abs(without.value)
