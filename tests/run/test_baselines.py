import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.baselines import baseline_names, get_baseline
from ibbench.compare.study import read_study
from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from ibbench.record.predictions import Predictor, read_errors
from ibbench.record.schema import SplitSizesEntry
from ibbench.run.baselines import measure_baselines
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.replicas import Replica


def test_baselines_are_measured_where_the_replicas_are(qm9: DataSet, config: Callable[..., Config]) -> None:
    split = split_dataset(qm9, config("data.train_size=500", "data.validation_size=100", "data.test_size=200").data)
    replicas = [Replica("gap", 0), Replica("mu", 3)]
    measured = measure_baselines(qm9, split, replicas)
    assert tuple(entry.name for entry, _ in measured) == baseline_names()
    for entry, predictions in measured:
        baseline = get_baseline(entry.name)(qm9)
        assert entry.parameters == baseline.num_parameters
        assert [(one.target, one.seed, one.unit) for one in entry.replicas] == [("gap", 0, "eV"), ("mu", 3, "D")]
        for one, of_test in zip(entry.replicas, predictions, strict=True):
            subset = split.train_subset(one.seed)
            predict, truth = baseline.fit(one.target, subset), qm9.values[:, qm9.column(one.target)]
            for metrics, index in ((one.train, subset), (one.validation, split.validation), (one.test, split.test)):
                assert metrics.mae == pytest.approx((predict(index) - truth[index]).abs().mean().item())
            assert torch.equal(of_test, predict(split.test))
    assert measured[0].entry.replicas[0].train.r2 == pytest.approx(0, abs=1e-12)  # of the mean, by definition


def test_a_pair_that_the_cache_has_is_told_in_the_unit_of_the_run(
    qm9: DataSet, config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path))
    split = split_dataset(qm9, config("data.train_size=50", "data.validation_size=20", "data.test_size=20").data)
    for unit in ("eV", "kcal/mol"):  # as data.units of a CSV names it: the values are the same
        targets = tuple(target._replace(unit=unit) for target in qm9.targets)
        renamed = dataclasses.replace(qm9, targets=targets)
        measured = measure_baselines(renamed, split, [Replica("gap", 0)], asked=["morgan+ridge"])
        assert {entry.replicas[0].unit for entry, _ in measured} == {unit}


def test_a_run_keeps_the_test_errors_of_its_baselines(config: Callable[..., Config], tmp_path: Path) -> None:
    tiny = ["model=mlp", "budget=null", "model.width=8", "data.train_size=64", "data.validation_size=64"]
    point = plan(config(*tiny, "data.test_size=64", "trainer.epochs=1", "targets=[u0,mu]", f"results_dir={tmp_path}"))
    record = execute(point)
    assert record is not None
    assert record.split_sizes == SplitSizesEntry(train_pool=130_831 - 128, validation=64, test=64)
    errors = read_errors(point.folder, record)
    for baseline in record.baselines:
        for entry in baseline.replicas:
            of_molecules = errors[Predictor(entry.target, entry.seed, baseline.name)]
            assert of_molecules.shape == (64,)
            assert abs(of_molecules).mean() == pytest.approx(
                entry.test.mae, rel=1 / 80
            )  # each is rounded to 1/40 of it
    assert len(errors) == len(record.replicas) * (1 + len(baseline_names()))
    for entry in read_study(tmp_path / "quick").entries:
        assert entry.sample.errors is not None
