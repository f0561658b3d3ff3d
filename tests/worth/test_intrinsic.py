"""The dimensions that training needs: known ones are found, and what the study cannot tell is told as a bound."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.worth import show_worth
from ibbench.compare.study import read_study
from ibbench.record.schema import Record
from ibbench.report.plot.study import draw_study
from ibbench.worth.intrinsic import find_intrinsic, reach
from tests.compare.conftest import MakeRecord, WriteStudy

DIMENSIONS = (10, 100, 1000, 10_000)


def _records(make_record: MakeRecord, model: str, curves: dict[int | None, list[float]]) -> list[Record]:
    """Invent runs of some errors per seed, by their dimensions; the mean has an error of 1."""
    records = []
    for dimensions, errors in curves.items():
        record = make_record(model, {("gap", seed): error for seed, error in enumerate(errors)}, parameters=50_000)
        trainer = {} if dimensions is None else {"subspace": dimensions}
        records.append(
            record.model_copy(
                update={"run": f"{record.run}-{dimensions}", "config": record.config | {"trainer": trainer}}
            )
        )
    return records


def _logistic(half: float, full: float) -> dict[int | None, list[float]]:
    """Invent a performance that rises with the logarithm of the dimensions, and is 90 % at `half`."""
    shares = [0.9 + 0.08 * math.log10(each / half) for each in DIMENSIONS]
    return {None: [full] * 3} | {
        each: [1 - share * (1 - full)] * 3 for each, share in zip(DIMENSIONS, shares, strict=True)
    }


def test_the_goal_is_found_where_it_lies(make_record: MakeRecord, write_study: WriteStudy) -> None:
    records = _records(make_record, "mlp", _logistic(300, 0.4)) + _records(make_record, "gnn", _logistic(40, 0.2))
    mlp, gnn = find_intrinsic(read_study(write_study("s", *records)))
    assert mlp.value == pytest.approx(300)
    assert gnn.value == pytest.approx(40)
    assert (mlp.low, mlp.high) == pytest.approx((300, 300))
    row = mlp.row()
    assert (row["mae_of_mean"], row["mae_of_all"], row["parameters"]) == pytest.approx((1, 0.4, 50_000))
    assert row["variant"] == ""


def test_beyond_what_was_trained_only_a_bound_is_known() -> None:
    at = np.array([10.0, 100, 1000])
    assert reach(at, np.array([0.1, 0.5, 0.8])) == math.inf
    assert reach(at, np.array([0.95, 0.99, 1.0])) == 0
    assert reach(at, np.array([0.0, 0.9, 1.0])) == pytest.approx(100)
    assert 10 < reach(at, np.array([0.5, 0.96, 0.94])) < 100  # more dimensions do no harm, chance apart


def test_seeds_give_the_interval(make_record: MakeRecord, write_study: WriteStudy) -> None:
    curves = [_logistic(at, 0.4) for at in (100, 200, 400)]
    mixed = {key: [curve[key][0] for curve in curves] for key in curves[0]}
    (found,) = find_intrinsic(read_study(write_study("s", *_records(make_record, "mlp", mixed))))
    assert found.value == pytest.approx(200)
    assert found.low is not None
    assert found.high is not None
    assert found.low * found.high == pytest.approx(200**2)
    assert found.low < 100 < 400 < found.high  # three seeds know little


def test_nothing_is_told_without_all_weights_or_where_they_learned_nothing(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    curves = _logistic(300, 0.4)
    whole = curves.pop(None)
    assert find_intrinsic(read_study(write_study("a", *_records(make_record, "mlp", curves)))) == []
    nothing = {None: [1.0, 0.9, 0.9]} | curves
    (unknown,) = find_intrinsic(read_study(write_study("b", *_records(make_record, "mlp", nothing))))
    assert math.isnan(unknown.value)
    assert whole
    (bound,) = find_intrinsic(read_study(write_study("c", *_records(make_record, "mlp", {None: whole, 10: whole}))))
    assert (bound.value, bound.low, bound.row()["fewest"]) == (0, None, 10)  # less than the only one


def test_worth_prints_and_writes_it_and_plot_draws_it(
    make_record: MakeRecord, write_study: WriteStudy, tmp_path: Path
) -> None:
    flat = {None: [0.2] * 3} | {each: [0.9] * 3 for each in DIMENSIONS}
    folder = write_study("s", *_records(make_record, "mlp", _logistic(300, 0.4)), *_records(make_record, "gnn", flat))
    with (tmp_path / "out.txt").open("w") as file:
        assert show_worth(folder, Console(file=file, width=200))
    printed = (tmp_path / "out.txt").read_text()
    told = (
        "gap: at 1,000 labels, mlp reaches 90 % of its performance in 300 [300, 300] random dimensions of its 50,000."
    )
    assert told in printed
    assert "gnn reaches 90 % of its performance in more than 10,000 random dimensions" in printed
    table = pd.read_csv(folder / "intrinsic.csv")
    assert dict(zip(table["model"], table["dimensions"], strict=True)) == pytest.approx({"mlp": 300, "gnn": math.inf})
    assert "intrinsic" in [getattr(shape, "name", "") for shape in draw_study(read_study(folder), folder)]
