"""`trainer.subspace`: the projection, a cost whose intrinsic dimension is known, and trainings that stay inside."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.groups import AdamOptions
from ibbench.run.plan import plan
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.state import State
from ibbench.training.subspace import Projection, SubspaceOptimizer
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
CPU = torch.device("cpu")
ADAM = AdamOptions(name="adam", lr=0.3, weight_decay=0, beta1=0.9, beta2=0.999)


def _matrix(seed: int, parameters: int, dimensions: int) -> torch.Tensor:
    """Return P as numbers, `[D, d]`."""
    projection = Projection([seed], parameters, dimensions, CPU)
    return torch.cat([projection.spread(row[None]) for row in torch.eye(dimensions)]).T


@pytest.mark.parametrize(("parameters", "dimensions"), [(1000, 40), (1024, 1024), (1, 1), (7, 7)])
def test_columns_have_length_one_and_are_nearly_orthogonal(parameters: int, dimensions: int) -> None:
    matrix = _matrix(3, parameters, dimensions)
    assert matrix.shape == (parameters, dimensions)
    product = matrix.T @ matrix
    assert torch.allclose(product.diagonal(), torch.ones(dimensions), atol=1e-5)
    if parameters == 1024:
        assert torch.allclose(product, torch.eye(dimensions), atol=1e-5)
    elif parameters == 1000:
        assert (product - torch.eye(dimensions)).abs().max() < 0.1


def test_the_two_products_are_those_of_one_matrix_and_its_transpose() -> None:
    matrix, projection = _matrix(0, 300, 20), Projection([0], 300, 20, CPU)
    vector, gradient = torch.randn(1, 20), torch.randn(1, 300)
    assert torch.allclose(projection.spread(vector), vector @ matrix.T, atol=1e-6)
    assert torch.allclose(projection.gather(gradient), gradient @ matrix, atol=1e-5)


def test_subspaces_are_nested_and_each_seed_has_its_own() -> None:
    assert torch.equal(_matrix(1, 500, 30)[:, :12], _matrix(1, 500, 12))
    assert not torch.equal(_matrix(1, 500, 12), _matrix(2, 500, 12))
    both, one = Projection([1, 2], 500, 12, CPU), Projection([2], 500, 12, CPU)
    vector = torch.randn(1, 12)
    assert torch.equal(both.spread(vector.expand(2, -1))[1], one.spread(vector)[0])


def _errors_of_groups(weights: torch.Tensor) -> torch.Tensor:
    """Say how far the mean of each ten groups of 100 weights is from 1, 2, ... 10 (Li et al. 2018, section 2)."""
    return weights.view(-1, 10, 100).mean(-1) * 100**0.5 - torch.arange(1.0, 11.0)


def _train_groups(dimensions: int) -> float:
    """Return the loss that is left of the loss at the start."""
    weights = torch.zeros(1, 1000, requires_grad=True)
    optimizer = SubspaceOptimizer(ADAM, [weights], [ADAM.lr], [0.0], [0], dimensions)
    for step in range(200):
        weights.grad = None
        _errors_of_groups(weights).square().sum().backward()
        optimizer.step(1 - step / 200)
    return float(_errors_of_groups(weights.detach()).square().sum()) / 385


def test_ten_conditions_on_a_thousand_weights_need_ten_dimensions() -> None:
    # A solution is any point with ten given means: 990 of the 1,000 dimensions are free, so a random subspace of 10
    # meets the set of solutions, and one of 9 does not.
    conditions = torch.block_diag(*[torch.ones(1, 100) / 10] * 10)
    goal = torch.arange(1.0, 11.0)[:, None]
    for dimensions, solves in ((5, False), (9, False), (10, True), (20, True)):
        seen = (conditions @ _matrix(0, 1000, dimensions)).double()
        left = seen @ torch.linalg.lstsq(seen, goal.double(), driver="gelsd").solution - goal
        assert (left.abs().max() < 1e-6) == solves, dimensions


@pytest.mark.slow
def test_a_training_finds_what_the_subspace_allows() -> None:
    assert _train_groups(100) < 1e-3
    assert _train_groups(5) > 0.05


SMALL = ("model=gnn", "trainer.subspace=30", "trainer.epochs=2", "trainer.batch_size=50", "optimizer.lr=1e-2")


def _trained(task: Task, state: State, config: Config) -> dict[str, torch.Tensor]:
    for _ in train(task, state, config):
        pass
    return state.models.snapshot()


def test_weights_move_in_the_subspace_alone_and_learn(start: Start) -> None:
    config, task, state = start(*SMALL, "trainer.keep=last", "trainer.epochs=10")
    before = torch.cat([each[0].detach().flatten().clone() for each in state.models.parameters.values()])
    _trained(task, state, config)
    after = torch.cat([each[0].detach().flatten() for each in state.models.parameters.values()])
    matrix = _matrix(0, len(before), 30)
    moved = after - before
    inside = matrix @ torch.linalg.lstsq(matrix, moved[:, None]).solution
    assert moved.norm() > 0.05
    assert (moved - inside[:, 0]).norm() < 1e-3 * moved.norm()
    assert state.history[-1]["train_loss"] < 0.9 * state.history[0]["train_loss"]


def test_as_many_dimensions_as_weights_are_hardly_a_restriction() -> None:
    assert torch.linalg.matrix_rank(_matrix(0, 500, 500).double()) >= 495
    assert torch.linalg.matrix_rank(_matrix(0, 500, 250).double()) == 250


@pytest.mark.parametrize("extra", [(), ("model.dropout=0.2", "trainer.average=3", "trainer.clip_norm=1")])
def test_a_packed_replica_equals_one_alone_and_resumes_exactly(
    start: Start, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    config, task, state = start(*SMALL, *extra, "targets=[gap,mu]", "seeds=[0,1]")
    for _ in train(task, state, config, pause=lambda: True):
        if state.step == 5:
            Checkpoints(tmp_path, 0, {}).save(state)
    packed = state.models.snapshot()
    config, task, resumed = start(*SMALL, *extra, "targets=[gap,mu]", "seeds=[0,1]")
    assert Checkpoints(tmp_path, 0, {}).load(resumed) == []
    for name, value in _trained(task, resumed, config).items():
        assert torch.equal(value, packed[name]), name
    _, alone_task, alone = start(*SMALL, *extra, "targets=[mu]", "seeds=[1]")
    for name, value in _trained(alone_task, alone, config).items():
        torch.testing.assert_close(value[0], packed[name][3], rtol=1e-4, atol=1e-5)


def test_what_is_too_much_or_contradicts_is_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"`trainer.subspace=99999` has more dimensions than `model=mlp`"):
        plan(config("experiment=tiny", "model=mlp", "trainer.subspace=99999"))
    with pytest.raises(InputError, match=r"outside of trainer.subspace"):
        config("experiment=tiny", "optimizer=sam", "trainer.subspace=10")
    with pytest.raises(InputError, match=r"trainer.subspace=0"):
        config("experiment=tiny", "trainer.subspace=0")


def test_a_run_that_trains_all_weights_keeps_its_name(config: Callable[..., Config]) -> None:
    assert "subspace" not in config("experiment=tiny").numerics()["trainer"]
    assert config("experiment=tiny", "trainer.subspace=5").numerics()["trainer"]["subspace"] == 5
