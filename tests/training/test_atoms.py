"""Targets of atoms: real atoms train, are relabelled with their molecules, and are all that counts."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ibbench.data.atom_labels import add_atom_targets
from ibbench.data.dataset import DataSet
from ibbench.data.molecules import Molecules
from ibbench.data.pack import resize
from ibbench.data.splits import find_unlabelled, split_dataset
from ibbench.options.config import Config
from ibbench.training.atom_scaling import fit_places
from ibbench.training.atoms import AtomTruth
from ibbench.training.loop import prepare, train
from ibbench.training.packs import list_replicas
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task, loss_of, predict

Start = Callable[..., tuple[Config, Task, State]]
ALONE = ("mlp", "gnn", "graph_transformer")


@pytest.fixture(scope="module")
def charged(qm9: DataSet) -> DataSet:
    return add_atom_targets(qm9, ["mulliken"], lambda _: None)


@pytest.fixture
def begin(config: Callable[..., Config], charged: DataSet) -> Start:
    """Prepare a training of two narrow replicas on the charges of a few real molecules."""

    def start(*overrides: str, seeds: str = "seeds=[0,1]") -> tuple[Config, Task, State]:
        small = ["budget=null", "model.width=16", "data.train_size=100", "data.validation_size=100", "trainer.epochs=3"]
        composed = config(*small, "targets=[mulliken]", seeds, *overrides)
        composed = composed.model_copy(update={"model": composed.model.model_copy(update={"output": "atoms"})})
        split = split_dataset(charged, composed.data)._replace(unlabelled=find_unlabelled(charged))
        return composed, *prepare(composed, charged, split, torch.device("cpu"), list_replicas(composed))

    return start


def test_labels_are_what_the_element_does_not_tell(begin: Start, charged: DataSet) -> None:
    _, task, _ = begin("model=gnn")
    elements = charged.molecules.atoms[task.subsets[0], :, 5]
    for element in (6, 8):
        assert task.labels[0][elements == element].mean() == pytest.approx(0, abs=1e-3)
    assert task.labels[0][elements > 0].std(correction=0) == pytest.approx(1, abs=1e-5)
    assert task.labels[0][elements == 0].isnan().all()
    plain = begin("model=gnn", "reference=none")[1]
    assert not plain.scaling.slope_per_element.any()
    assert abs(plain.labels[0][elements == 8].mean()) > 0.5


def test_scaling_is_undone(begin: Start) -> None:
    _, task, _ = begin("model=gnn")
    back = task.truth.restore(task.scaling, task.labels, task.subsets)
    torch.testing.assert_close(back, task.given, equal_nan=True, atol=1e-6, rtol=1e-6)


def test_padding_never_counts(begin: Start) -> None:
    _, task, _ = begin("model=gnn")
    loss, labels = loss_of(task, "l1"), task.labels[:, :32]
    right = labels.nan_to_num().requires_grad_()
    assert not loss(right, labels, reduction="none").any()
    wrong = torch.where(labels.isnan(), 1e9, labels + 1).requires_grad_()
    errors = loss(wrong, labels, reduction="none")
    sizes, mean = (~labels.isnan()).sum(-1), (~task.labels.isnan()).sum(-1).float().mean(1)
    torch.testing.assert_close(errors, sizes / mean[:, None])  # each atom has the same weight
    errors.sum().backward()
    assert wrong.grad is not None
    assert wrong.grad.isfinite().all()
    assert not wrong.grad[labels.isnan()].any()
    truth = task.truth.values(task.subsets)
    beyond = torch.where(truth.isnan(), 1e9, truth + 2)
    torch.testing.assert_close(task.truth.mean_error(beyond, truth), torch.full((2,), 2.0, dtype=torch.float64))


def test_wider_padding_trains_the_same(charged: DataSet) -> None:
    """Molecules padded to 12 atoms in the place of 9 have the same labels and scaling."""
    arrays = {"mulliken": fit_places(charged.labels("mulliken"), 12)}
    wider = replace(charged, arrays=arrays, molecules=resize(charged.molecules, 12))
    subset, replicas = torch.arange(1000, 1100)[None], [Replica("mulliken", 0)]
    fits = []
    for dataset in (charged, wider):
        truth = AtomTruth(dataset, replicas)
        fits.append(truth.fit(subset, "auto", truth.values(subset)))
    for one, other in zip(*fits, strict=True):
        torch.testing.assert_close(one, other)


def test_augmentation_relabels_labels_with_their_atoms(begin: Start) -> None:
    _, task, _ = begin("model=mlp", "data.augmentation=relabel")
    plain = task._replace(augmentation="none")
    batch = torch.arange(20).expand(2, -1)
    (one, labels), (other, relabelled) = plain.train_batch(batch, 3), task.train_batch(batch, 3)
    assert not torch.equal(one.atoms, other.atoms)
    assert torch.equal(relabelled.isnan(), ~other.mask)

    def atoms_of(molecules: Molecules, values: torch.Tensor) -> list[tuple[float, ...]]:
        rows = torch.cat([molecules.atoms.double(), values.double()[..., None]], -1)[molecules.mask]
        return sorted(map(tuple, rows.tolist()))

    assert atoms_of(one, labels) == atoms_of(other, relabelled)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_a_packed_replica_equals_one_alone(name: str, begin: Start) -> None:
    composed, task, state = begin(f"model={name}", "model.dropout=0.1")
    for _ in train(task, state, composed):
        pass
    packed = predict(task, state.models, task.split.validation)
    for row, seed in enumerate((0, 1)):
        composed, alone, own = begin(f"model={name}", "model.dropout=0.1", seeds=f"seeds=[{seed}]")
        for _ in train(alone, own, composed):
            pass
        torch.testing.assert_close(
            predict(alone, own.models, task.split.validation)[0], packed[row], rtol=1e-4, atol=1e-4
        )
        assert own.best_mae[0] == pytest.approx(float(state.best_mae[row]), rel=1e-3)


@pytest.mark.slow
def test_a_gnn_learns_more_of_a_charge_than_the_element_tells(begin: Start) -> None:
    composed, task, state = begin("model=gnn", "trainer.epochs=20", seeds="seeds=[0]")
    for _ in train(task, state, composed):
        pass
    errors = [entry["validation_mae"] for entry in state.history]
    truth = task.truth.values(task.split.validation)
    blank = task.truth.restore(task.scaling, torch.zeros(truth.shape), task.split.validation)
    assert errors[-1] < 0.85 * float(task.truth.mean_error(blank, truth))
