from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.models import STANDARD_MODELS
from ibbench.options.config import Config
from ibbench.training.loop import prepare, train
from ibbench.training.packs import list_replicas


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_a_gpu_gives_the_numbers_of_the_cpu(name: str, config: Callable[..., Config], qm9: DataSet) -> None:
    small = ["budget=null", "model.width=16", "data.train_size=200", "trainer.epochs=2", "optimizer.lr=1e-3"]
    composed = config(f"model={name}", *small, "model.dropout=0.1", "model.normalisation=batch")
    errors = []
    for device in ("cpu", "cuda"):
        split = split_dataset(qm9, composed.data)
        task, state = prepare(composed, qm9, split, torch.device(device), list_replicas(composed))
        for _ in train(task, state, composed):
            pass
        errors.append(state.best_mae)
    assert torch.allclose(*errors, rtol=1e-3)
