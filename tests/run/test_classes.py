"""Runs with a class among their targets: trained, recorded, tabulated and predicted like runs with numbers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ibbench.compare.calibration import measure_calibration
from ibbench.compare.classes import COLUMNS as CLASS_COLUMNS
from ibbench.compare.classes import probabilities
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.study import read_study
from ibbench.compare.table import COLUMNS, build_table
from ibbench.data.dataset import DataSet
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.probes.subject.candidate import plan_candidates
from ibbench.probes.subject.measure import measure
from ibbench.probes.subject.request import not_of_classes
from ibbench.probes.subject.truth import read_truth
from ibbench.record.evidence import Evidence, pack_evidence
from ibbench.record.metrics import ClassMetricsEntry, MetricsEntry
from ibbench.record.predictions import Predictor, open_predictions, read_errors, read_predictions
from ibbench.record.schema import Record
from ibbench.run.execute import execute
from ibbench.run.plan import Point, plan
from ibbench.run.predict import load_predictor
from ibbench.track.content import outcome_of
from ibbench.training.loop import prepare, train
from ibbench.training.packs import list_replicas
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task

SMALL = ("budget=null", "model.width=16", "model.depth=1", "trainer.epochs=3", "optimizer.lr=3e-3")
SIZES = ("data.train_size=200", "data.validation_size=100", "data.test_size=300")
Compose = Callable[..., Config]


@pytest.fixture(scope="module")
def compose(config: Compose, qm9: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Return a function that composes configs of real molecules, with their gap and whether they are polar."""
    path = tmp_path_factory.mktemp("classes") / "polar.csv"
    mu, gap = (qm9.values[:, qm9.column(name)] for name in ("mu", "gap"))
    rows = [
        f"{qm9.smiles[index]},{'yes' if mu[index] > 2.5 else 'no'},{gap[index]:.4f}\n"
        for index in range(1000, 100_000, 140)
    ]
    path.write_text("smiles,polar,gap\n" + "".join(rows))
    base = ("data=csv", f"data.path={path}", "data.target_columns=[polar,gap]", "data.classes=[polar]")

    def with_options(*overrides: str) -> Config:
        return config(*base, "data.units={gap: eV}", *SIZES, *SMALL, *overrides)

    return with_options


@pytest.fixture(scope="module")
def study(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    for model in ("mlp", "gnn"):
        point = plan(compose(f"model={model}", "targets=[polar,gap]", "seeds=[0,1]", f"results_dir={folder}"))
        record = execute(point)
        assert record is not None
        assert record.status == "done", record.error
    return folder / "quick"


def _records(study: Path) -> dict[str, Record]:
    return {record.config["model"]["name"]: record for record in read_study(study).records}


def _start(config: Config) -> tuple[Point, Task, State]:
    point = plan(config)
    return point, *prepare(
        point.resolved, point.dataset, point.split, torch.device("cpu"), list_replicas(point.resolved)
    )


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_replica_beside_one_of_another_kind_trains_as_it_does_alone(compiled: bool, compose: Compose) -> None:
    def trained(targets: str, compiled: bool) -> tuple[Task, State]:
        options = ("model=mlp", "loss=huber", f"targets={targets}", "seeds=[0]", f"trainer.compile={compiled}")
        point, task, state = _start(compose(*options) if "gap" in targets else compose(*options, "loss=l1"))
        for _ in train(task, state, point.resolved):
            pass
        return task, state

    task, packed = trained("[polar,gap]", compiled)
    for row, target in enumerate(("polar", "gap")):
        assert task.replicas[row] == Replica(target, 0)
        _, alone = trained(f"[{target}]", compiled=False)
        assert alone.best_mae[0].item() == pytest.approx(packed.best_mae[row].item(), rel=1e-5)
        for key, value in alone.best.items():
            assert torch.allclose(value[0], packed.best[key][row], atol=1e-5), key


def test_training_starts_from_the_frequency_of_the_class(compose: Compose) -> None:
    _, task, _ = _start(compose("model=gnn", "targets=[polar]", "seeds=[0]"))
    labels = task.labels[0]
    assert set(labels.tolist()) == {0.0, 1.0}
    assert task.scaling.mean.sigmoid().item() == pytest.approx(labels.mean().item())
    assert task.scaling.scale.item() == 1
    assert not task.scaling.slope_per_element.any()


def test_records_hold_the_figures_of_each_kind(study: Path) -> None:
    for record in _records(study).values():
        for entry in (*record.replicas, *(one for baseline in record.baselines for one in baseline.replicas)):
            kind, unit = (ClassMetricsEntry, "nats") if entry.target == "polar" else (MetricsEntry, "eV")
            assert entry.unit == unit
            assert all(isinstance(part, kind) for part in (entry.train, entry.validation, entry.test))
        assert record.config["data"]["classes"] == ["polar"]
        told = outcome_of(record).metrics
        assert {"polar/test_log_loss", "polar/seed 0/test_auroc", "gap/test_mae", "gap/seed 0/test_r2"} <= told.keys()
        assert "polar/test_mae" not in told


def test_predictions_are_kept_as_logits_and_read_as_log_losses_and_probabilities(study: Path) -> None:
    for record in _records(study).values():
        folder = study / "runs" / record.run
        with np.load(folder / "predictions.npz") as arrays:
            logit, truth, is_class = arrays["prediction"], arrays["truth"], arrays["is_class"]
        assert is_class.tolist() == [True, True, False, False]
        errors, both = read_errors(folder, record), read_predictions(folder, record)
        for row, entry in enumerate(record.replicas[:2]):
            who, positive = Predictor("polar", entry.seed), truth[row] == 1
            exact = np.logaddexp(0, np.where(positive, -logit[row], logit[row]))
            assert exact.mean() == pytest.approx(entry.test.mae)
            assert np.abs(np.abs(errors[who]) - exact).max() <= exact.mean() / 4000 * (1 + 1e-9)
            assert (np.signbit(errors[who]) == positive).all()
            assert both[who][1] == pytest.approx(1 / (1 + np.exp(-logit[row])), abs=exact.mean() / 4000)


def test_evidence_gives_the_same_errors(study: Path, tmp_path: Path) -> None:
    records = list(_records(study).values())
    content = pack_evidence(records, lambda run: open_predictions(study / "runs" / run))
    before = {record.run: read_errors(study / "runs" / record.run, record) for record in records}
    copy = shutil.copytree(study, tmp_path / "copy")
    shutil.rmtree(copy / "runs")
    (copy / "evidence.zip").write_bytes(content)
    for record in records:
        after = read_errors(copy / "runs" / record.run, record)
        assert before[record.run].keys() == after.keys()
        assert all(np.array_equal(before[record.run][who], after[who]) for who in after)
        classes = [who for who in after if who.target == "polar"]
        assert all((np.signbit(before[record.run][who]) == np.signbit(after[who])).all() for who in classes)
    assert [one.run for one in Evidence(content, "evidence").records(without=())] == [one.run for one in records]


def test_the_table_has_each_kind_with_its_own_figures_and_the_same_verdicts(study: Path) -> None:
    read = read_study(study)
    table = build_table(read)
    classes, numbers = table[table["unit"] == "nats"], table[table["unit"] == "eV"]
    assert len(classes) == len(numbers) == 2 + 2
    assert list(table.columns) == [*COLUMNS, *CLASS_COLUMNS]
    assert classes[["r2_mean", "rmse_mean", "coverage_90"]].isna().all(axis=None)
    assert numbers[["auroc_mean", "brier_mean", "positive_share"]].isna().all(axis=None)
    assert numbers["r2_mean"].notna().all()
    for _, row in classes.iterrows():
        assert row["brier_mean"] <= row["mae_mean"]  # (1 - p)^2 <= -ln p
        if row["model"] != "mean":
            assert row["auroc_low"] < row["auroc_mean"] < row["auroc_high"]
            assert row["average_precision_low"] < row["average_precision_mean"] < row["average_precision_high"]
    assert classes.set_index("model").loc["mean", "auroc_mean"] == 0.5
    trained = classes[classes["ensemble_mae"].notna()]
    assert trained["model"].tolist() == ["mlp", "gnn"]
    assert (trained["ensemble_mae"] <= trained["mae_mean"]).all()
    pairs = compare_pairs(read.entries)
    losses = {one.key: one.sample for one in read.entries if one.key.group.is_class}
    for (a, b), pair in pairs.items():
        if a in losses:
            assert pair.comparison.difference.value == pytest.approx(losses[a].mae - losses[b].mae)
    for entry in read.entries:
        if entry.key.group.is_class:
            assert measure_calibration(entry) is None
            known = probabilities(entry)
            assert known is not None
            probability, positive = known
            assert np.where(positive, -np.log(probability), -np.log1p(-probability)).mean() == pytest.approx(
                entry.sample.mae, rel=1e-3
            )


def test_a_run_predicts_probabilities_from_its_folder_alone(study: Path, compose: Compose) -> None:
    point = plan(compose("model=gnn", "targets=[polar,gap]", "seeds=[0,1]"))
    record = _records(study)["gnn"]
    predictor = load_predictor(study / "runs" / record.run)
    assert predictor.units == ["probability", "probability", "eV", "eV"]
    with np.load(study / "runs" / record.run / "predictions.npz") as arrays:
        kept, index = arrays["prediction"], arrays["index"]
    kept[:2] = 1 / (1 + np.exp(-kept[:2]))
    smiles = [point.dataset.smiles[place] for place in index]
    assert predictor.predict_smiles(smiles).numpy() == pytest.approx(kept, rel=1e-4, abs=1e-5)


@pytest.mark.slow
def test_a_class_that_the_graph_shows_is_learned(compose: Compose, tmp_path: Path) -> None:
    options = ("model=gnn", "targets=[polar]", "seeds=[0]", "trainer.epochs=40", f"results_dir={tmp_path}")
    record = execute(plan(compose(*options)))
    assert record is not None
    (entry,) = record.replicas
    assert isinstance(entry.test, ClassMetricsEntry)
    mean = record.baselines[0].replicas[0].test.mae
    assert entry.test.log_loss < 0.95 * mean
    assert (entry.test.auroc or 0) > 0.65


def test_no_log_loss_stands_beside_the_errors_of_a_probe(study: Path) -> None:
    truth = read_truth(read_study(study))
    assert {target for target, *_ in truth.entries} == {target for target, *_ in truth.guards} == {"gap"}


def test_errors_of_a_kernel_along_a_training_are_refused_of_a_class(compose: Compose) -> None:
    candidates = plan_candidates([compose("model=mlp", "targets=[polar,gap]", "seeds=[0]")])
    with pytest.raises(InputError, match="polar is a class, and `--probe kernel` measures"):
        measure(candidates, ["kernel"], ["along"], 20, lambda _: None)


def test_what_no_probe_can_tell_of_a_class_is_left_out_where_nobody_named_it(compose: Compose) -> None:
    of_class, of_number = (
        plan_candidates([compose("model=mlp", f"targets=[{target}]", "seeds=[0]")]) for target in ("polar", "gap")
    )
    names = ["floor", "symmetry", "kernel"]
    assert not_of_classes(of_class, names, ["init", "trained"]) == ["symmetry"]
    assert not_of_classes(of_class, names, ["init"]) == not_of_classes(of_number, names, ["init", "trained"]) == []
    left = [name for name in names if name != "symmetry"]
    assert len(measure(of_class, left, ["init"], 20, lambda _: None).table)
