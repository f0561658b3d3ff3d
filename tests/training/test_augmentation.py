"""Relabelling while training shows a molecule in another order each time, and remains a function of seed and step."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.data.molecules import Molecules
from ibbench.options.config import Config
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.state import State
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
RELABEL = "data.augmentation=relabel"
BATCH = torch.arange(64).expand(2, -1)


def _batch(task: Task, step: int, rows: int = 2) -> Molecules:
    return task.train_batch(BATCH[:rows], step)[0]


def test_a_relabelled_batch_has_the_same_molecules_in_other_orders(start: Start) -> None:
    _, plain, _ = start("model=mlp")
    _, task, _ = start("model=mlp", RELABEL)
    before, after = _batch(plain, 3), _batch(task, 3)
    assert torch.equal(plain.train_batch(BATCH, 3)[1], task.train_batch(BATCH, 3)[1])
    assert torch.equal(before.mask, after.mask)  # padding stays last
    assert not after.atoms[~after.mask].any()
    moved = (before.atoms != after.atoms).flatten(2).any(2) | (before.bonds != after.bonds).flatten(2).any(2)
    assert moved.float().mean() > 0.95

    def described(molecules: Molecules) -> torch.Tensor:  # what no order changes: atoms with the sum of their bonds
        rows = torch.cat([molecules.atoms.long(), molecules.bonds.long().sum(-1, keepdim=True)], dim=-1)
        keys = (rows * 37 ** torch.arange(12)).sum(-1)
        return keys.sort(-1).values

    assert torch.equal(described(before), described(after))


@pytest.mark.parametrize("name", ["gnn", "schnet", "ladder/gnn_lengths"])
def test_an_invariant_model_cannot_tell_a_relabelled_batch(name: str, start: Start) -> None:
    _, plain, state = start(f"model={name}")
    _, task, _ = start(f"model={name}", RELABEL)
    with torch.no_grad():
        before, after = state.models(_batch(plain, 1)), state.models(_batch(task, 1))
    assert torch.allclose(before, after, atol=1e-5)


def test_an_invariant_model_trains_to_the_same_error_and_the_mlp_does_not(start: Start) -> None:
    for name, invariant in (("gnn", True), ("mlp", False)):
        errors = []
        for overrides in ((), (RELABEL,)):
            composed, task, state = start(f"model={name}", "trainer.epochs=1", "optimizer.lr=1e-3", *overrides)
            next(train(task, state, composed))
            errors.append(state.best_mae)
        assert torch.allclose(*errors, rtol=1e-4) == invariant


def test_each_step_and_seed_has_orders_of_its_own(start: Start) -> None:
    _, task, _ = start("model=mlp", RELABEL)
    task = task._replace(subsets=task.subsets[:1].expand(2, -1))  # the same molecules for both seeds
    one, other = _batch(task, 1), _batch(task, 2)
    assert torch.equal(one.bonds, _batch(task, 1).bonds)
    assert (one.bonds != other.bonds).flatten(2).any(2).float().mean() > 0.8
    assert (one.bonds[0] != one.bonds[1]).flatten(1).any(1).float().mean() > 0.8


def test_orders_are_those_of_the_seed_packed_or_alone(start: Start) -> None:
    _, packed, _ = start("model=mlp", RELABEL, "targets=[gap,mu]", "seeds=[0,1]")
    _, alone, _ = start("model=mlp", RELABEL, "targets=[mu]", "seeds=[1]")
    batch = packed.train_batch(torch.arange(64).expand(4, -1), 5)[0]
    for name in ("atoms", "bonds", "mask"):
        assert torch.equal(getattr(batch, name)[3], getattr(_batch(alone, 5, 1), name)[0])
    assert torch.equal(batch.bonds[0], batch.bonds[2])  # gap and mu of seed 0


def test_all_orders_of_three_atoms_are_equally_likely(start: Start) -> None:
    _, task, _ = start("model=mlp", RELABEL)
    index = int((task.molecules.mask.sum(1) == 3).nonzero()[0])
    molecules = task.molecules._replace(atoms=torch.arange(9, dtype=torch.uint8)[:, None].expand(1, 9, 11).clone())
    molecules = Molecules(molecules.atoms, *(tensor[index : index + 1] for tensor in task.molecules[1:]))
    task = task._replace(subsets=torch.zeros(1, 1, dtype=torch.int64), labels=torch.zeros(1, 1), molecules=molecules)
    task = task._replace(replicas=task.replicas[:1])
    repeated = torch.zeros(1, 500, dtype=torch.int64)
    drawn = torch.cat([task.train_batch(repeated, step)[0].atoms[0, :, :3, 0] for step in range(12)])
    orders, counts = drawn.unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()


def test_a_resumed_training_sees_the_orders_of_an_undisturbed_one(start: Start, tmp_path: Path) -> None:
    overrides = ("model=mlp", RELABEL, "model.dropout=0.1")
    composed, task, undisturbed = start(*overrides)
    for state in train(task, undisturbed, composed):
        if state.step == 14:
            Checkpoints(tmp_path, 0, {}).save(state)
    composed, task, resumed = start(*overrides)
    assert Checkpoints(tmp_path, 0, {}).load(resumed) == []
    for _ in train(task, resumed, composed):
        pass
    assert undisturbed.history == resumed.history
    for name, value in undisturbed.models.snapshot().items():
        assert torch.equal(value, resumed.models.snapshot()[name])


def test_validation_and_test_molecules_keep_their_order(start: Start) -> None:
    _, plain, _ = start("model=mlp")
    _, task, _ = start("model=mlp", RELABEL)
    assert torch.equal(plain.molecules.bonds, task.molecules.bonds)
