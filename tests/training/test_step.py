"""A compiled step is the same step: numbers, dropout, running statistics, and resuming."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.models import STANDARD_MODELS
from ibbench.models.registry import build_model
from ibbench.options.config import Config
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.optim import learning_rate_factor
from ibbench.training.state import State
from ibbench.training.step import compiler, pays
from ibbench.training.task import Task, stream

Start = Callable[..., tuple[Config, Task, State]]
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
SMALL = ("model=gnn", "model.depth=1", "model.dropout=0.2", "model.normalisation=batch", "trainer.batch_size=64")


def _after(task: Task, state: State, config: Config) -> dict[str, torch.Tensor]:
    for _ in train(task, state, config):
        pass
    return state.models.snapshot()


def _plain(task: Task, state: State, config: Config) -> dict[str, torch.Tensor]:
    """Train the first replica as any tutorial does: one module, `backward`, torch's unfused optimizer."""
    models = state.models
    module = build_model(task.molecules.padding, config.model)
    module.load_state_dict({name: value[0].detach() for name, value in models.parameters.items()}, strict=False)
    options = config.optimizer
    optimizer = torch.optim.AdamW(
        module.parameters(),
        options.lr,
        (options.beta1, options.beta2),
        weight_decay=options.weight_decay,
        foreach=False,
    )
    mean, scale = models.buffers["atom_mean"][0], models.buffers["atom_scale"][0]
    for epoch in range(config.trainer.epochs):
        order = torch.randperm(200, generator=stream("order", config.seeds[0], epoch))
        batches = order.split(config.trainer.batch_size)
        for step, batch in enumerate(batches, epoch * len(batches)):
            fraction = (step + 0.5) / config.trainer.epochs / len(batches)
            optimizer.param_groups[0]["lr"] = options.lr * learning_rate_factor(config.schedule, fraction)
            molecules = task.molecules.select(task.subsets[0, batch])
            atoms = (molecules.atoms - mean) / scale * molecules.mask[..., None]
            optimizer.zero_grad()
            (module(molecules._replace(atoms=atoms)) - task.labels[0, batch]).abs().mean().backward()
            optimizer.step()
    return dict(module.named_parameters())


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_training_is_what_a_plain_loop_does(name: str, start: Start) -> None:
    config, task, state = start(f"model={name}")
    expected = _plain(task, state, config)
    trained = _after(task, state, config)
    for parameter, value in expected.items():
        torch.testing.assert_close(trained[parameter][0], value.detach(), rtol=1e-2, atol=2e-4)


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
def test_compiled_training_equals_eager_training_and_resumes_exactly(start: Start, tmp_path: Path) -> None:
    config, task, state = start(*SMALL)  # 200 molecules: three full batches and a smaller one
    eager = _after(task, state, config)
    config, task, state = start(*SMALL, "trainer.compile=true")
    for _ in train(task, state, config):
        if state.step == 8:
            Checkpoints(tmp_path, 0, {}).save(state)
    compiled = state.models.snapshot()
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)
    assert any(not torch.equal(compiled[name], eager[name]) for name in eager)  # it was not the same code

    config, task, state = start(*SMALL, "trainer.compile=graphs")  # on a CPU the same as true
    assert Checkpoints(tmp_path, 0, {}).load(state) == []
    resumed = _after(task, state, config)
    for name, value in compiled.items():
        assert torch.equal(resumed[name], value), name


def test_only_long_trainings_are_compiled() -> None:
    num_steps, flops = 1570, 3 * 1_870_000 * 150_000  # about those of `ibbench train`
    assert not pays(num_steps, flops)
    assert pays(5 * num_steps, 5 * flops)
