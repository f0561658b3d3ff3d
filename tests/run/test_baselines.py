from collections.abc import Callable

import pytest

from ibbench.baselines import baseline_names, get_baseline
from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.run.baselines import measure_baselines
from ibbench.training.replicas import Replica


def test_baselines_are_measured_where_the_replicas_are(qm9: DataSet, config: Callable[..., Config]) -> None:
    split = split_dataset(qm9, config("data.train_size=500", "data.validation_size=100", "data.test_size=200").data)
    replicas = [Replica("gap", 0), Replica("mu", 3)]
    measured = measure_baselines(qm9, split, replicas)
    assert tuple(entry.name for entry in measured) == baseline_names()
    for entry in measured:
        baseline = get_baseline(entry.name)(qm9)
        assert entry.parameters == baseline.num_parameters
        assert [(one.target, one.seed, one.unit) for one in entry.replicas] == [("gap", 0, "eV"), ("mu", 3, "D")]
        for one in entry.replicas:
            subset = split.train_subset(one.seed)
            predict, truth = baseline.fit(one.target, subset), qm9.values[:, qm9.column(one.target)]
            for metrics, index in ((one.train, subset), (one.validation, split.validation), (one.test, split.test)):
                assert metrics.mae == pytest.approx((predict(index) - truth[index]).abs().mean().item())
    assert measured[0].replicas[0].train.r2 == pytest.approx(0, abs=1e-12)  # of the mean, by definition
