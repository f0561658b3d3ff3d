"""`optimizer=sam` against the definition of Foret et al. 2021, on one plain module."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.models.registry import build_model
from ibbench.options.config import Config
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.optim import learning_rate_factor
from ibbench.training.state import State
from ibbench.training.step import compiler
from ibbench.training.task import Task, stream

Start = Callable[..., tuple[Config, Task, State]]
SAM = ("optimizer=sam", "optimizer.rho=0.2", "trainer.epochs=2", "trainer.batch_size=50")


def _trained(task: Task, state: State, config: Config) -> dict[str, torch.Tensor]:
    for _ in train(task, state, config):
        pass
    return state.models.snapshot()


def _by_definition(task: Task, state: State, config: Config) -> dict[str, torch.Tensor]:
    """Train the first replica: the gradient at w + rho g / |g|, then torch's own AdamW at w."""
    models, options = state.models, config.optimizer
    module = build_model(task.molecules.padding, config.model)
    module.load_state_dict({name: value[0].detach() for name, value in models.parameters.items()}, strict=False)
    weights = list(module.parameters())
    optimizer = torch.optim.AdamW(weights, options.lr, (options.beta1, options.beta2), weight_decay=0.01, foreach=False)
    mean, scale = models.buffers["atom_mean"][0], models.buffers["atom_scale"][0]
    step, steps = 0, 8
    for epoch in range(2):
        for batch in torch.randperm(200, generator=stream("order", config.seeds[0], epoch)).split(50):
            optimizer.param_groups[0]["lr"] = options.lr * learning_rate_factor(config.schedule, (step + 0.5) / steps)
            molecules = task.molecules.select(task.subsets[0, batch])
            atoms = (molecules.atoms - mean) / scale * molecules.mask[..., None]
            molecules = molecules._replace(atoms=atoms)
            slopes = torch.autograd.grad((module(molecules) - task.labels[0, batch]).abs().mean(), weights)
            norm = torch.cat([slope.flatten() for slope in slopes]).norm()
            start = [weight.detach().clone() for weight in weights]
            with torch.no_grad():
                for weight, slope in zip(weights, slopes, strict=True):
                    weight.add_(slope, alpha=float(options.rho / norm))
            optimizer.zero_grad()
            (module(molecules) - task.labels[0, batch]).abs().mean().backward()
            with torch.no_grad():
                for weight, value in zip(weights, start, strict=True):
                    weight.copy_(value)
            optimizer.step()
            step += 1
    return {name: value.detach() for name, value in module.named_parameters()}


def test_sam_is_what_its_paper_defines(start: Start) -> None:
    config, task, state = start("model=gnn", *SAM)
    expected = _by_definition(task, state, config)
    usual, other, plain = start("model=gnn", *SAM[2:])
    without = _trained(other, plain, usual)
    trained = _trained(task, state, config)
    for name, value in expected.items():
        torch.testing.assert_close(trained[name][0], value, rtol=1e-2, atol=2e-4)
    assert max(float((trained[name] - without[name]).abs().max()) for name in expected) > 1e-3


def test_a_packed_replica_equals_one_alone_and_resumes_exactly(start: Start, tmp_path: Path) -> None:
    extra = ("model=gnn", *SAM, "model.dropout=0.2", "model.normalisation=batch")
    config, task, state = start(*extra, "targets=[gap,mu]", "seeds=[0,1]")
    for _ in train(task, state, config, pause=lambda: True):
        if state.step == 5:
            Checkpoints(tmp_path, 0, {}).save(state)
    packed = state.models.snapshot()
    config, task, resumed = start(*extra, "targets=[gap,mu]", "seeds=[0,1]")
    assert Checkpoints(tmp_path, 0, {}).load(resumed) == []
    for name, value in _trained(task, resumed, config).items():
        assert torch.equal(value, packed[name]), name
    _, alone_task, alone = start(*extra, "targets=[mu]", "seeds=[1]")
    for name, value in _trained(alone_task, alone, config).items():
        torch.testing.assert_close(value[0], packed[name][3], rtol=1e-4, atol=1e-5)


def test_running_statistics_are_those_of_the_first_pass(start: Start) -> None:
    extra = ("model=mlp", "model.normalisation=batch", "trainer.epochs=1", "trainer.batch_size=200")
    statistics = []
    for optimizer in ("adamw", "sam"):  # one step: the first pass sees the same weights
        config, task, state = start(*extra, f"optimizer={optimizer}")
        trained = _trained(task, state, config)
        statistics.append({name: value for name, value in trained.items() if "running" in name})
    assert statistics[0]
    for name, value in statistics[0].items():
        assert torch.equal(value, statistics[1][name]), name


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
def test_a_compiled_step_is_the_same_step(start: Start) -> None:
    eager, compiled = (
        _trained(task, state, config)
        for config, task, state in (
            start("model=mlp", "model.depth=1", *SAM, f"trainer.compile={word}") for word in ("false", "true")
        )
    )
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)
    assert any(not torch.equal(compiled[name], eager[name]) for name in eager)
