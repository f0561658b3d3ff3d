import io
from collections.abc import Callable

import torch
from rich.console import Console

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.terminal import LiveLine
from ibbench.training.length import measure_length
from ibbench.training.loop import prepare, train
from ibbench.training.packs import list_replicas
from ibbench.training.progress import RunProgress


def _shown(terminal: bool, config: Callable[..., Config], qm9: DataSet) -> str:
    small = ["model=mlp", "budget=null", "model.width=8", "data.train_size=64", "data.validation_size=64"]
    composed = config(*small, "trainer.epochs=3", "targets=[gap,mu]", "seeds=[0,1]")
    split = split_dataset(qm9, composed.data)
    task, state = prepare(composed, qm9, split, torch.device("cpu"), list_replicas(composed))
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    length = measure_length(composed.trainer, 64)
    with LiveLine(console, "mlp-1", length.steps) as line:
        progress = RunProgress(line, task, length, {"gap": "eV", "mu": "D"})
        for _ in train(task, state, composed):
            progress.update(state)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_without_a_terminal_there_are_plain_lines(config: Callable[..., Config], qm9: DataSet) -> None:
    (line,) = _shown(False, config, qm9).splitlines()
    assert line.startswith("mlp-1: step 6/6 (epoch 3) · validation MAE gap ")
    assert " eV, mu " in line
    assert " D · " in line
    assert line.endswith("molecules/s")


def test_on_a_terminal_there_is_one_line_that_lives(config: Callable[..., Config], qm9: DataSet) -> None:
    output = _shown(True, config, qm9)
    assert "step 6/6" in output
    assert "\x1b[" in output
    assert output.rstrip("\x1b[?25h\n\r").count("\n") <= 1
