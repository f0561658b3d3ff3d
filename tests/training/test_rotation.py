"""`data.augmentation=rotate`: molecules as rigid as before in other directions, for models that read coordinates."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.data.layout import Padding
from ibbench.errors import InputError
from ibbench.models.layers.blocks import Readout
from ibbench.models.layers.distances import pair_distances
from ibbench.models.registry import Model
from ibbench.options.config import Config
from ibbench.options.model import ModelOptions
from ibbench.run.plan import plan
from ibbench.sweep.warnings import list_warnings
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.replicas import Replicas
from ibbench.training.state import State
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
ROTATE = "data.augmentation=rotate"
BATCH = torch.arange(64).expand(2, -1)


class _Heights(Model):
    """Sees of each atom how high it lies, which a rotation changes."""

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(padding.num_features + 3, options.sizes[0])
        self.readout = Readout(options)

    def states(self, molecules):  # type: ignore[no-untyped-def]
        return self.embed(torch.cat([molecules.atoms, molecules.positions.to(molecules.atoms)], dim=-1)).tanh()


def test_a_rotated_batch_has_the_same_molecules_in_other_directions(start: Start) -> None:
    _, plain, _ = start("model=schnet")
    _, task, _ = start("model=schnet", ROTATE)
    before, after = plain.train_batch(BATCH, 3)[0], task.train_batch(BATCH, 3)[0]
    assert torch.equal(before.atoms, after.atoms)
    assert torch.allclose(pair_distances(before.positions), pair_distances(after.positions), atol=1e-4)
    assert not after.positions[~after.mask].any()
    four = before.mask.sum(-1) >= 4  # three atoms and a mirror image are one molecule turned over
    volume = [torch.linalg.det(one.positions[four][:, 1:4] - one.positions[four][:, :1]) for one in (before, after)]
    assert torch.allclose(*volume, atol=1e-3)  # with its sign: nothing is mirrored
    turned = (before.positions - after.positions).abs().amax((-1, -2))
    assert (turned > 0.1).float().mean() > 0.95


def test_rotations_are_those_of_seed_and_step(start: Start) -> None:
    _, packed, _ = start("model=schnet", ROTATE, "targets=[gap,mu]", "seeds=[0,1]")
    _, alone, _ = start("model=schnet", ROTATE, "targets=[mu]", "seeds=[1]")
    batch = packed.train_batch(torch.arange(64).expand(4, -1), 5)[0].positions
    assert torch.equal(batch[3], alone.train_batch(BATCH[:1], 5)[0].positions[0])
    assert torch.equal(batch[0], batch[2])  # gap and mu of seed 0
    assert not torch.equal(batch, packed.train_batch(torch.arange(64).expand(4, -1), 6)[0].positions)


def test_only_a_model_that_is_not_invariant_can_tell(start: Start) -> None:
    config, plain, state = start("model=schnet")
    _, task, _ = start("model=schnet", ROTATE)
    before, after = plain.train_batch(BATCH, 1)[0], task.train_batch(BATCH, 1)[0]
    skeleton = _Heights(plain.molecules.padding, config.model)
    weights = {name: torch.stack([value] * 2) for name, value in skeleton.named_parameters()}
    statistics = {name: state.models.buffers[name] for name in ("atom_mean", "atom_scale")}
    heights = Replicas(skeleton, weights, statistics, [0, 1], torch.device("cpu"), "float32")
    with torch.no_grad():
        assert torch.allclose(state.models(before), state.models(after), atol=1e-4)
        assert ((heights(before) - heights(after)).abs() > 1e-3).float().mean() > 0.9


def test_a_resumed_training_sees_the_rotations_of_an_undisturbed_one(start: Start, tmp_path: Path) -> None:
    overrides = ("model=schnet", ROTATE, "data.train_size=64", "model.depth=1", "trainer.epochs=2")
    composed, task, undisturbed = start(*overrides)
    for state in train(task, undisturbed, composed):
        if state.step == 2:
            Checkpoints(tmp_path, 0, {}).save(state)
    composed, task, resumed = start(*overrides)
    assert Checkpoints(tmp_path, 0, {}).load(resumed) == []
    for _ in train(task, resumed, composed):
        pass
    assert undisturbed.history == resumed.history


def test_what_reads_no_coordinates_is_refused_and_what_is_invariant_is_told(config: Callable[..., Config]) -> None:
    with pytest.raises(
        InputError, match=r"data.augmentation=rotate` alters positions, which `model=gnn` does not read"
    ):
        plan(config("experiment=tiny", "model=gnn", ROTATE))
    point = plan(config("experiment=tiny", "model=schnet", ROTATE))
    assert "data.augmentation=rotate changes nothing but rounding for schnet" in " ".join(list_warnings([point]))
