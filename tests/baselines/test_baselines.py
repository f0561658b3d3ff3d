from collections.abc import Callable

import pytest
import torch

from ibbench.baselines.composition import measure_baselines
from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.training.replicas import Replica


def test_baselines_on_real_data_have_the_values_that_numpy_gives(qm9: DataSet, config: Callable[..., Config]) -> None:
    split = split_dataset(qm9, config("data.train_size=3000").data)
    mean, composition = measure_baselines(qm9, split, [Replica("gap", 0), Replica("u0", 1)])
    subset, gap = split.train_subset(0), qm9.values[:, qm9.column("gap")]
    expected = (gap[split.test] - gap[subset].mean()).abs().mean()
    assert mean.replicas[0].test.mae == pytest.approx(expected.item())
    assert mean.replicas[0].train.r2 == pytest.approx(0, abs=1e-12)

    counts = torch.cat([torch.ones(len(qm9), 1, dtype=torch.float64), qm9.composition()[0]], dim=1)
    weights = torch.linalg.lstsq(counts[subset], gap[subset]).solution
    expected = (gap[split.test] - counts[split.test] @ weights).abs().mean()
    assert composition.replicas[0].test.mae == pytest.approx(expected.item(), rel=1e-4)
    assert composition.parameters == 6


def test_composition_tells_nearly_all_of_a_total_energy(qm9: DataSet, config: Callable[..., Config]) -> None:
    split = split_dataset(qm9, config("data.train_size=3000").data)
    mean, composition = measure_baselines(qm9, split, [Replica("u0", 0)])
    assert composition.replicas[0].test.mae < 1 < 100 < mean.replicas[0].test.mae
    assert (composition.replicas[0].test.r2 or 0) > 0.99999
