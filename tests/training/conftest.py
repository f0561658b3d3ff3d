from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.training.loop import prepare
from ibbench.training.packs import list_replicas
from ibbench.training.state import State
from ibbench.training.task import Task


@pytest.fixture
def start(config: Callable[..., Config], qm9: DataSet) -> Callable[..., tuple[Config, Task, State]]:
    """Prepare a training of two narrow replicas on a few real molecules."""

    def begin(*overrides: str, device: str = "cpu") -> tuple[Config, Task, State]:
        small = ["budget=null", "model.width=16", "data.train_size=200", "data.validation_size=200", "trainer.epochs=4"]
        composed = config(*small, "seeds=[0,1]", *overrides)
        split = split_dataset(qm9, composed.data)
        return composed, *prepare(composed, qm9, split, torch.device(device), list_replicas(composed))

    return begin
