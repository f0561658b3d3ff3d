from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.errors import DivergedError
from ibbench.models import STANDARD_MODELS
from ibbench.options.config import Config
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.metrics import mean_absolute_error
from ibbench.training.state import State
from ibbench.training.task import Task, predict

Start = Callable[..., tuple[Config, Task, State]]


def _assert_same(one: State, other: State) -> None:
    assert one.history == other.history
    assert torch.equal(one.best_mae, other.best_mae)
    for key, value in one.best.items():
        assert torch.equal(value, other.best[key]), key
    for key, value in one.models.snapshot().items():
        assert torch.equal(value, other.models.snapshot()[key]), key


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_training_twice_gives_the_same_numbers_to_the_last_digit(name: str, start: Start) -> None:
    states = []
    for _ in range(2):
        composed, task, state = start(f"model={name}", "model.dropout=0.1")
        for _ in train(task, state, composed):
            pass
        states.append(state)
    _assert_same(*states)


@pytest.mark.parametrize(  # 14 steps lie between two epochs, 17 within one
    ("optimizer", "steps"), [("adamw", 14), ("adamw", 17), ("adam", 17), ("sgd", 14), ("sgd_momentum", 17)]
)
def test_a_resumed_training_equals_an_undisturbed_one(optimizer: str, steps: int, start: Start, tmp_path: Path) -> None:
    overrides = ("model=gnn", f"optimizer={optimizer}", "model.dropout=0.1", "model.normalisation=batch")
    overrides += ("trainer.average=9",) if optimizer == "adam" else ()
    composed, task, undisturbed = start(*overrides)
    for state in train(task, undisturbed, composed, pause=lambda: True):
        if state.step == steps:
            Checkpoints(tmp_path, 0, {}).save(state)
    composed, task, resumed = start(*overrides)
    assert Checkpoints(tmp_path, 0, {}).load(resumed) == []
    assert (resumed.step, resumed.pending) == (steps, steps % 7)  # 200 molecules are 7 batches
    for _ in train(task, resumed, composed):
        pass
    _assert_same(undisturbed, resumed)


def test_the_kept_weights_are_those_of_the_best_validation(start: Start) -> None:
    composed, task, state = start("model=deep_sets", "trainer.epochs=12", "optimizer.lr=0.05", "schedule=constant")
    errors = [[row["validation_mae"] for row in state.history[-2:]] for _ in train(task, state, composed)]
    history = torch.tensor(errors, dtype=torch.float64)
    assert torch.equal(state.best_mae, history.min(0).values)
    assert torch.equal(state.best_step, 7 * (history.argmin(0) + 1))
    assert (state.best_step < 7 * 12).any()  # a high rate jumps about, so that the last epoch is not the best of both
    state.models.load(state.best)
    prediction = predict(task, state.models, task.split.validation)
    again = mean_absolute_error(prediction, task.truth.values(task.split.validation))
    assert torch.allclose(again, state.best_mae)


def test_the_last_weights_are_kept_where_they_are_asked_for(start: Start) -> None:
    noisy = ("model=deep_sets", "trainer.epochs=12", "optimizer.lr=0.05", "schedule=constant", "trainer.keep=last")
    composed, task, state = start(*noisy)
    for _ in train(task, state, composed):
        pass
    assert (state.best_step == 7 * 12).all()
    for name, value in state.models.snapshot().items():
        assert torch.equal(state.best[name], value), name
    last = torch.tensor([row["validation_mae"] for row in state.history[-2:]], dtype=torch.float64)
    assert torch.equal(state.best_mae, last)


def test_patience_stops_each_replica_for_itself(start: Start) -> None:
    overrides = ("model=mlp", "trainer.epochs=60", "trainer.patience=3", "optimizer.lr=0.02", "schedule=constant")
    composed, task, state = start(*overrides)
    for _ in train(task, state, composed):
        pass
    assert state.stopped.all()
    assert state.step < 7 * 60
    assert state.step == (state.best_step + 7 * 3).max()
    rows = torch.tensor([row["validation_mae"] for row in state.history], dtype=torch.float64).view(-1, 2)
    for replica in range(2):  # what comes after a replica has stopped is not looked at
        stop = int(state.best_step[replica]) // 7 + 3
        assert rows[:stop, replica].min() == state.best_mae[replica]


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
def test_training_lowers_the_error(loss: str, start: Start) -> None:
    composed, task, state = start("model=gnn", f"loss={loss}", "trainer.epochs=15", "reference=none")
    for _ in train(task, state, composed):
        pass
    first = torch.tensor([row["validation_mae"] for row in state.history[:2]])
    assert (state.best_mae < 0.8 * first).all()


def test_a_loss_that_is_not_finite_says_where_and_what_to_change(start: Start) -> None:
    composed, task, state = start("model=mlp", "optimizer=sgd", "optimizer.lr=1e25", "schedule=constant", "loss=mse")
    with pytest.raises(DivergedError, match=r"at step [1-9] .*seed 0.*smaller optimizer.lr"):
        for _ in train(task, state, composed):
            pass


def test_bfloat16_trains_and_stays_close_to_float32(start: Start) -> None:
    errors = {}
    for precision in ("float32", "bfloat16"):
        composed, task, state = start("model=gnn", f"precision={precision}", "trainer.epochs=8")
        for _ in train(task, state, composed):
            pass
        errors[precision] = state.best_mae
    assert not torch.equal(errors["float32"], errors["bfloat16"])
    assert torch.allclose(errors["float32"], errors["bfloat16"], rtol=0.2)


class _EpochTakenError(Exception):
    pass


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_no_step_waits_for_the_device(name: str, start: Start) -> None:
    options = (f"model={name}", "model.dropout=0.1", "trainer.clip_norm=1.0", "data.augmentation=relabel")
    options += ("trainer.average=9",)
    # Tensors of the device `meta` have no values: whoever waits for one gets an error.
    composed, task, state = start(*(options if name == "mlp" else options[:-1]), device="meta")
    # The fused optimizers refuse a device that does not compute.
    state.optimizer.optimizer = torch.optim.SGD(state.models.parameters.values(), lr=0.1)
    steps = []

    def pause() -> bool:
        steps.append(state.pending)
        if len(steps) == 7:  # 200 molecules are 7 batches; validation, which waits, comes after them
            raise _EpochTakenError
        return False

    with pytest.raises(_EpochTakenError):
        next(train(task, state, composed, pause))
    with pytest.raises((RuntimeError, NotImplementedError)):  # it does notice
        state.loss_sum.sum().item()


@pytest.mark.parametrize("name", ["mlp", "gnn"])
def test_a_batch_of_one_molecule_leaves_the_running_statistics_alone(name: str, start: Start) -> None:
    few = ["trainer.epochs=1", "data.train_size=33"]  # batches of 32 molecules and of one
    composed, task, state = start(f"model={name}", "model.normalisation=batch", *few)
    seen: list[dict[str, torch.Tensor]] = []

    def pause() -> bool:
        seen.append({key: value.clone() for key, value in state.models.buffers.items() if "running_" in key})
        return False

    fresh = {key: value.clone() for key, value in state.models.buffers.items()}
    next(train(task, state, composed, pause))
    after_many, after_one = seen
    assert after_many
    assert all(torch.equal(after_many[key], after_one[key]) for key in after_many)
    assert not any(torch.equal(after_many[key], fresh[key]) for key in after_many)


def test_the_average_is_the_mean_at_first_and_then_forgets(start: Start) -> None:
    composed, task, state = start("model=mlp", "trainer.average=4", "trainer.epochs=1")
    seen = []
    for _ in train(task, state, composed, pause=lambda: True):
        seen.append(state.models.snapshot())
        if state.step > 4:
            break
        for name, average in (state.average or {}).items():
            assert torch.allclose(average, torch.stack([one[name] for one in seen]).mean(0), atol=1e-6), name
    old = {name: torch.stack([one[name] for one in seen[:4]]).mean(0) for name in seen[0]}
    for name, average in (state.average or {}).items():
        assert torch.allclose(average, 0.75 * old[name] + 0.25 * seen[4][name], atol=1e-6), name


def test_an_average_of_one_step_changes_no_digit(start: Start) -> None:
    states = []
    for length in ("null", "1"):
        composed, task, state = start("model=gnn", f"trainer.average={length}", "model.normalisation=batch")
        for _ in train(task, state, composed):
            pass
        states.append(state)
    _assert_same(*states)
