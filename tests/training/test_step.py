"""A compiled step is the same step: numbers, dropout, running statistics, and resuming."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.config import Config
from ibbench.training.checkpoint import load_checkpoint, save_checkpoint
from ibbench.training.loop import State, Task, train
from ibbench.training.step import compiler, pays

Start = Callable[..., tuple[Config, Task, State]]
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
SMALL = ("model=gnn", "model.depth=1", "model.dropout=0.2", "model.normalisation=batch", "trainer.batch_size=64")


def _after(task: Task, state: State, config: Config, compiled: bool) -> dict[str, torch.Tensor]:
    for _ in train(task, state, config, compiled):
        pass
    return state.models.snapshot()


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
def test_compiled_training_equals_eager_training_and_resumes_exactly(start: Start, tmp_path: Path) -> None:
    config, task, state = start(*SMALL)  # 200 molecules: three full batches and a smaller one
    eager = _after(task, state, config, compiled=False)
    config, task, state = start(*SMALL)
    for _ in train(task, state, config, compiled=True):
        if state.epoch == 2:
            save_checkpoint(tmp_path / "checkpoint", state, "x")
    compiled = state.models.snapshot()
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)
    assert any(not torch.equal(compiled[name], eager[name]) for name in eager)  # it was not the same code

    config, task, state = start(*SMALL)
    assert load_checkpoint(tmp_path / "checkpoint", state, "x") == ""
    resumed = _after(task, state, config, compiled=True)
    for name, value in compiled.items():
        assert torch.equal(resumed[name], value), name


def test_only_long_trainings_are_compiled() -> None:
    quick = {"num_steps": 1570, "flops_per_molecule": 1_870_000, "num_molecules": 150_000}
    assert not pays(**quick)
    assert pays(quick["num_steps"] * 5, quick["flops_per_molecule"], quick["num_molecules"] * 5)
