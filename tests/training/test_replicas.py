from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models import STANDARD_MODELS
from ibbench.models.registry import build_model
from ibbench.options.config import Config
from ibbench.options.trial import Trial
from ibbench.training.loop import prepare, train
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task, predict

Start = Callable[..., tuple[Config, Task, State]]


def _trained(start: Start, *overrides: str) -> tuple[Task, State]:
    composed, task, state = start(*overrides)
    for _ in train(task, state, composed):
        pass
    return task, state


# What could mix replicas.
DRAWN = ("model.dropout=0.3", "model.normalisation=batch", "trainer.clip_norm=0.5", "trainer.average=9")


@pytest.mark.parametrize(("name", "extra"), [*((name, ()) for name in STANDARD_MODELS), ("gnn", DRAWN)])
def test_a_packed_replica_equals_the_same_replica_alone(name: str, extra: tuple[str, ...], start: Start) -> None:
    shared = (f"model={name}", "optimizer.lr=1e-3", "trainer.epochs=2", *extra)
    packed, state = _trained(start, *shared, "targets=[gap,mu]", "seeds=[0,1]")
    for row in (0, 3):  # another target and another seed
        target, seed = packed.replicas[row]
        _, alone = _trained(start, *shared, f"targets=[{target}]", f"seeds=[{seed}]")
        assert alone.best_mae[0].item() == pytest.approx(state.best_mae[row].item(), rel=1e-5)
        for key, value in alone.best.items():
            assert torch.allclose(value[0], state.best[key][row], atol=1e-5), key


def test_a_replica_with_options_of_its_own_equals_the_same_replica_alone(start: Start, qm9: DataSet) -> None:
    trials = [Trial(1e-3, 0.0, 0.0), Trial(3e-3, 0.1, 0.2), Trial(1e-2, 0.01, 0.3)]
    composed, task, _ = start("model=gnn", "model.dropout=0.3", "trainer.epochs=2", "seeds=[0,1,2]")

    def trained(replicas: list[Replica], of: list[Trial]) -> State:
        again, state = prepare(composed, qm9, task.split, torch.device("cpu"), replicas, of)
        for _ in train(again, state, composed):
            pass
        return state

    packed = trained(task.replicas, trials)
    for row, (replica, trial) in enumerate(zip(task.replicas, trials, strict=True)):
        alone = trained([replica], [trial])
        assert alone.best_mae[0].item() == pytest.approx(packed.best_mae[row].item(), rel=1e-5)
        for key, value in alone.best.items():
            assert torch.allclose(value[0], packed.best[key][row], atol=1e-5), key


def test_replicas_start_from_the_weights_of_their_seed(start: Start) -> None:
    composed, _, state = start("model=gnn", "seeds=[5,6]", "targets=[gap,mu]")
    for row, seed in enumerate([5, 6, 5, 6]):
        torch.manual_seed(seed)
        for name, parameter in build_model(QM9_PADDING["implicit"], composed.model).named_parameters():
            assert torch.equal(parameter, state.models.parameters[name][row])


def test_building_replicas_leaves_the_random_state_alone(start: Start) -> None:
    before = torch.get_rng_state()
    start("model=mlp")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_a_shared_batch_predicts_like_one_for_each_replica(name: str, start: Start) -> None:
    _, task, state = start(f"model={name}", "seeds=[0,1,2]")
    index = torch.arange(700)  # more than one chunk
    shared = predict(task, state.models, index)
    separate = predict(task, state.models, index.expand(3, -1))
    assert torch.allclose(shared, separate, rtol=1e-5)


def test_dropout_drops_the_share_it_should_and_differs_between_steps_and_seeds(start: Start) -> None:
    _, task, state = start("model=deep_sets", "model.dropout=0.4", "seeds=[0,1]", "model.initialisation=he")
    batch = task.molecules.select(task.subsets[:1].expand(2, -1))
    models = state.models
    with torch.no_grad():
        for tensor in [*models.parameters.values(), *models.buffers.values()]:
            tensor[1] = tensor[0]  # the two replicas differ in nothing but their seeds

    def at(step: int) -> torch.Tensor:
        models.train(step)
        return models(batch).detach()

    models.eval()
    without = models(batch).detach()
    assert torch.equal(without[0], without[1])
    assert torch.equal(at(7), at(7))
    assert not torch.allclose(at(7), at(8))
    assert not torch.allclose(at(7)[0], at(7)[1])


def test_dropout_keeps_the_mean() -> None:
    from ibbench.models.layers.blocks import Dropout

    layer = Dropout(0.3)
    layer.salt = 1
    ones = torch.ones(1000, 100)
    dropped = layer(ones)
    assert dropped.eq(0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    rows = dropped.eq(0).float().mean(1)  # binomial: rows are not all alike, and none is all dropped
    assert rows.std().item() == pytest.approx((0.3 * 0.7 / 100) ** 0.5, rel=0.1)
    assert torch.equal(layer.eval()(ones), ones)
