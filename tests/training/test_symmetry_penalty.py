"""A price on predictions that change with the order of atoms: what it is, and that it acts."""

from collections.abc import Callable

import torch

from ibbench.data.graphs import random_order
from ibbench.options.config import Config
from ibbench.training.loop import train
from ibbench.training.optim import LOSSES
from ibbench.training.state import State
from ibbench.training.step import Step
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
PENALTY = "trainer.symmetry_penalty=3"
BATCH = torch.arange(64).expand(2, -1)


def test_the_loss_is_the_error_and_three_times_the_squared_difference_of_two_orders(start: Start) -> None:
    _, task, state = start("model=mlp", PENALTY)
    molecules, labels = task.train_batch(BATCH, 5)
    loss = Step(state.models, LOSSES["l1"], False, 3.0)(molecules, labels)
    _, plain, _ = start("model=mlp")
    first, _ = plain.train_batch(BATCH, 5)
    with torch.no_grad():
        one, both = state.models(first), state.models(molecules)
    assert torch.allclose(both[:, :64], one)
    moved = (both[:, 64:] - one).square().mean(1)
    assert (moved > 0).all()
    assert torch.allclose(loss, (one - labels).abs().mean(1) + 3 * moved)


def test_the_second_order_is_of_the_same_molecules_and_of_the_seed_alone(start: Start) -> None:
    _, packed, _ = start("model=mlp", PENALTY, "targets=[gap,mu]", "seeds=[0,1]")
    _, alone, _ = start("model=mlp", PENALTY, "targets=[mu]", "seeds=[1]")
    batch, own = packed.train_batch(torch.arange(64).expand(4, -1), 7)[0], alone.train_batch(BATCH[:1], 7)[0]
    assert torch.equal(batch.atoms[3], own.atoms[0])
    assert torch.equal(batch.bonds[3], own.bonds[0])
    assert torch.equal(own.atoms[0, :64].sum(1), own.atoms[0, 64:].sum(1))
    assert (own.bonds[0, :64] != own.bonds[0, 64:]).flatten(1).any(1).float().mean() > 0.8


def test_who_pays_for_a_broken_symmetry_breaks_it_less(start: Start) -> None:
    left = {}
    for penalty in (0, 30):
        composed, task, state = start(
            "model=mlp", f"trainer.symmetry_penalty={penalty}", "optimizer.lr=3e-3", "trainer.epochs=8"
        )
        for _ in train(task, state, composed):
            pass
        molecules = task.molecules.select(torch.arange(1000, 1500))
        keys = torch.rand(molecules.mask.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            one = state.models(molecules)
            other = state.models(molecules.relabel(random_order(molecules.mask, keys)))
        left[penalty] = ((one - other).square().mean() / one.var()).item()
    assert left[30] < 0.5 * left[0]
