"""Compiled predictions are the same predictions, and only many molecules are worth compiling for."""

from collections.abc import Callable

import pytest
import torch

from ibbench.options.config import Config
from ibbench.training.chunk import choose_chunk
from ibbench.training.compiled import CompiledForward, pays_to_predict
from ibbench.training.state import State
from ibbench.training.step import compiler
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
GNN_FLOPS, MILLION = 1_850_000, 1_000_000  # of the standard model, for a molecule of QM9


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
def test_compiled_predictions_equal_eager_ones_for_any_number_of_molecules_and_later_weights(start: Start) -> None:
    _, task, state = start("model=gnn", "model.depth=1", "model.width=16", "seeds=[0,1]")
    models = state.models
    forward = CompiledForward(models, 64)
    for count in (64, 33, 64, 40, 5, 1):  # full, filled up, and too few to be worth filling up
        molecules = task.molecules.select(torch.arange(1000, 1000 + count))
        compiled, eager = forward(molecules), models.predict([molecules])
        assert compiled.shape == (2, count)
        torch.testing.assert_close(compiled, eager, rtol=1e-5, atol=1e-5 * eager.abs().max().item())
    before = forward(molecules := task.molecules.select(torch.arange(64)))
    with torch.no_grad():
        for parameter in models.parameters.values():
            parameter.mul_(1.5)
    assert not torch.allclose(forward(molecules), before, rtol=0.01)
    torch.testing.assert_close(forward(molecules), models.predict([molecules]), rtol=1e-5, atol=1e-5)


def test_predictions_are_compiled_for_millions_of_molecules_and_not_for_thousands() -> None:
    assert not pays_to_predict(100_000, 3 * GNN_FLOPS)
    assert pays_to_predict(MILLION, 3 * GNN_FLOPS)
    assert pays_to_predict(100_000, 36 * GNN_FLOPS)  # twelve targets with three seeds
    assert not pays_to_predict(MILLION, 3 * 195_000)  # the MLP, which is done within seconds


def test_the_more_a_molecule_takes_the_fewer_are_predicted_at_a_time(start: Start) -> None:
    config, task, _ = start("model=gnn")
    padding, cpu = task.molecules.padding, torch.device("cpu")
    few, many, larger = (
        choose_chunk(padding._replace(num_atoms=size), config.model, replicas, cpu)
        for size, replicas in ((9, 3), (9, 12), (36, 3))
    )
    assert few > many > 1
    assert few > larger > 1
    assert choose_chunk(padding, config.model, 10**9, cpu) == 1
