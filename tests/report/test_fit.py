"""The picture of train and test error along a sweep, read on a case whose answer is known in closed form."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ibbench.compare.study import read_study
from ibbench.record.metrics import MetricsEntry
from ibbench.record.schema import Record
from ibbench.report.document import Picture
from ibbench.report.plot.fit import draw_fit, find_sweep
from ibbench.report.plot.study import draw_study
from tests.compare.conftest import MakeRecord, WriteStudy

LABELS = 60
WIDTHS = (10, 20, 40, 60, 80, 160, 640)


def _ridgeless(width: int, seed: int) -> tuple[float, float]:
    """Fit noisy labels by the least squares of least norm on random ReLU features; return train and test error."""
    draw = np.random.default_rng(seed)
    weights = draw.standard_normal((8, 640))[:, :width] / np.sqrt(8)
    truth = draw.standard_normal(8)

    def sample(count: int, noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        inputs = draw.standard_normal((count, 8))
        return np.maximum(inputs @ weights, 0), inputs @ truth + noise * draw.standard_normal(count)

    features, labels = sample(LABELS, 1.0)
    unseen, values = sample(2000, 0.0)
    solution = np.linalg.pinv(features) @ labels
    return float(np.abs(features @ solution - labels).mean()), float(np.abs(unseen @ solution - values).mean())


def _record(make_record: MakeRecord, width: int) -> Record:
    errors = {seed: _ridgeless(width, seed) for seed in range(5)}
    record = make_record("mlp", {("gap", seed): test for seed, (_, test) in errors.items()}, baselines=False)
    config = record.config | {"model": {"name": "mlp", "width": width}}
    assert record.cost is not None
    replicas = tuple(
        one.model_copy(update={"train": MetricsEntry(mae=errors[one.seed][0], rmse=1, r2=None, mae_over_std=None)})
        for one in record.replicas
    )
    cost = record.cost.model_copy(update={"parameters": width})
    return record.model_copy(update={"config": config, "replicas": replicas, "cost": cost, "run": f"mlp-{width}"})


def test_the_peak_of_ridgeless_regression_is_read_where_features_equal_labels(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    # Belkin et al. 2019, arXiv:1812.11118: the peak is at n = p, and more features than that lower the error again.
    study = write_study("features", *(_record(make_record, width) for width in WIDTHS), predictions=False)
    sweep = find_sweep(read_study(study).entries)
    assert sweep is not None
    assert sweep.option == "model.width"
    (axes,) = draw_fit(sweep).axes
    means = [line for line in axes.lines if line.get_marker() not in {"", "None"}]
    (test,), (train,) = ([line for line in means if line.get_linestyle() == dash] for dash in ("-", "--"))
    places, errors = test.get_data()
    assert list(places) == list(WIDTHS)
    assert places[int(np.argmax(errors))] == LABELS
    assert errors[-1] < 0.5 * errors.max()
    fitted = dict(zip(*train.get_data(), strict=True))
    assert all((error < 1e-6) == (width >= LABELS) for width, error in fitted.items())
    assert "parameters" in axes.get_xlabel()
    assert {shape.name for shape in draw_study(read_study(study), study) if isinstance(shape, Picture)} >= {"fit_gap"}


@pytest.mark.parametrize(
    ("option", "values", "found"),
    [
        ("trainer.steps", (10, 100, 1000), "trainer.steps"),
        ("trainer.steps", (10, 100), None),  # two points are no sweep
        ("model.depth", (1, 2, 3), None),  # a table says it as well
        ("data.label_noise", (None, 0.5, 1.0), "data.label_noise"),  # records leave 0 out
    ],
)
def test_what_counts_as_a_sweep(
    option: str, values: tuple[float, ...], found: str | None, make_record: MakeRecord, write_study: WriteStudy
) -> None:
    group, _, name = option.partition(".")
    records = []
    for place, value in enumerate(values):
        record = make_record("gnn", {("gap", seed): 0.2 + place / 10 for seed in range(2)})
        part = record.config.get(group, {}) | ({} if value is None else {name: value})
        update = {"config": record.config | {group: part}, "run": f"gnn-{place}"}
        records.append(record.model_copy(update=update))
    study = write_study("swept", *records, predictions=False)
    sweep = find_sweep(read_study(study).entries)
    assert (sweep and sweep.option) == found
    if sweep:
        (points,) = sweep.lines.values()
        assert [place for place, _ in points] == [value or 0.0 for value in values]


def test_a_line_is_told_by_what_else_differs(make_record: MakeRecord, write_study: WriteStudy) -> None:
    records = []
    for labels in ({}, {"labels": "shuffled"}):
        for steps in (10, 100, 1000):
            record = make_record("gnn", {("gap", seed): 0.2 for seed in range(2)})
            config = record.config | {"data": record.config["data"] | labels, "trainer": {"steps": steps}}
            run = f"gnn-{steps}-{len(labels)}"
            records.append(record.model_copy(update={"config": config, "run": run}))
    sweep = find_sweep(read_study(write_study("two", *records, predictions=False)).entries)
    assert sweep is not None
    assert set(sweep.lines) == {("gnn", "data.labels=true"), ("gnn", "data.labels=shuffled")}
    legend = [text.get_text() for text in draw_fit(sweep).legends[0].get_texts()]
    assert legend[:2] == ["test", "train"]
    assert set(legend[2:]) == {"data.labels=true", "data.labels=shuffled"}
