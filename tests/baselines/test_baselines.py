from collections.abc import Callable

import pytest
import torch

from ibbench.baselines import Baseline, baseline_names, get_baseline
from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split, split_dataset
from ibbench.options.config import Config


@pytest.fixture(scope="module")
def split(qm9: DataSet, config: Callable[..., Config]) -> Split:
    return split_dataset(qm9, config("data.train_size=3000").data)


def _errors(baseline: Baseline, target: str, split: Split, seed: int) -> torch.Tensor:
    predicted = baseline.fit(target, split.train_subset(seed))(split.test)
    return predicted - baseline.dataset.values[split.test, baseline.dataset.column(target)]


def test_the_mean_is_that_of_the_train_subset(qm9: DataSet, split: Split) -> None:
    baseline, subset = get_baseline("mean")(qm9), split.train_subset(0)
    expected = qm9.values[subset, qm9.column("gap")].mean().expand(10_000)
    torch.testing.assert_close(baseline.fit("gap", subset)(split.test), expected, rtol=1e-12, atol=0)
    assert baseline.num_parameters == 1


def test_composition_has_the_values_of_least_squares(qm9: DataSet, split: Split) -> None:
    baseline, subset = get_baseline("composition")(qm9), split.train_subset(0)
    counts = torch.cat([torch.ones(len(qm9), 1, dtype=torch.float64), qm9.composition()[0]], dim=1)
    weights = torch.linalg.lstsq(counts[subset], qm9.values[subset, qm9.column("gap")]).solution
    predicted = baseline.fit("gap", subset)(split.test)
    torch.testing.assert_close(predicted, counts[split.test] @ weights, rtol=1e-4, atol=1e-4)
    assert baseline.num_parameters == 6


def test_composition_tells_nearly_all_of_a_total_energy(qm9: DataSet, split: Split) -> None:
    mean, composition = (_errors(get_baseline(name)(qm9), "u0", split, 0) for name in ("mean", "composition"))
    assert composition.abs().mean() < 1 < 100 < mean.abs().mean()


@pytest.mark.parametrize("name", baseline_names())
def test_a_prediction_depends_on_the_train_labels_and_the_molecule_alone(name: str, qm9: DataSet, split: Split) -> None:
    baseline, subset = get_baseline(name)(qm9), split.train_subset(0)
    predict = baseline.fit("alpha", subset)
    together = predict(split.test)
    assert together.dtype == torch.float64
    assert together.shape == split.test.shape
    assert predict(split.test[:0]).shape == (0,)
    backwards = split.test.flip(0)[5:13]
    assert torch.equal(predict(backwards), together.flip(0)[5:13])
    baseline.fit("gap", split.train_subset(1))  # another fit leaves the first as it was
    assert torch.equal(predict(split.test), together)
