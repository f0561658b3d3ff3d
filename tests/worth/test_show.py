"""`ibbench worth` on invented studies: the words, the files, and what it refuses."""

import io
import math
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from ibbench.compare.study import read_study
from ibbench.errors import InputError
from ibbench.worth.report import make_worth, read_worth
from ibbench.worth.show import show_worth
from ibbench.worth.text import sentences
from tests.compare.conftest import MakeRecord, WriteStudy

SIZES = (500, 1000, 2000, 4000)


def _maes(scale: float, exponent: float, size: int) -> dict[tuple[str, int], float]:
    return {("gap", seed): scale * size**-exponent * (1 + 0.002 * seed) for seed in range(3)}


@pytest.fixture
def study(write_study: WriteStudy, make_record: MakeRecord) -> Path:
    """Deep Sets needs four times the labels of the GNN; the GNN costs twice the parameters."""
    return write_study(
        "curves",
        *(make_record("deep_sets", _maes(20, 0.5, size), train_size=size) for size in SIZES),
        *(make_record("gnn", _maes(10, 0.5, size), train_size=size, parameters=200) for size in SIZES),
    )


def test_the_main_sentence_names_models_factor_and_interval(study: Path) -> None:
    worth = read_worth(study)
    (sentence,) = sentences(worth)
    assert sentence == "gap: at 1,000 labels, what gnn assumes is worth 4.0 [4.0, 4.0] times the labels of deep_sets."
    row = worth.multipliers[worth.multipliers["at"] == 2000].iloc[0]
    assert row["multiplier"] == math.inf  # 8,000 labels were never trained on
    assert row["multiplier_most"] == 2


def test_a_rung_is_told_against_the_one_that_it_comes_after(ladder_study: Path) -> None:
    table = make_worth(read_study(ladder_study)).ladder
    assert table["rung"].tolist() == ["one", "two", "three", "sideways"] * 2
    assert (table["train_size"] == 4000).all()
    for target in ("mu", "gap"):
        rows = table[table["target"] == target].set_index("rung")
        maes = rows["mae_mean"]
        assert pd.isna(rows.loc["one", "gain"])
        for rung, after in (("two", "one"), ("three", "two"), ("sideways", "two")):
            assert rows.loc[rung, "gain"] == pytest.approx(maes[after] - maes[rung])
            assert rows.loc[rung, "verdict"] == "better"
            assert rows.loc[rung, "multiplier"] == pytest.approx(2)
            assert rows.loc[rung, "multiplier_at"] == 1000


def test_the_command_writes_tables_that_say_the_same(ladder_study: Path) -> None:
    show_worth(ladder_study, Console(file=io.StringIO(), width=200))
    assert {path.name for path in ladder_study.iterdir()} == {
        "runs", "worth.md", "multipliers.csv", "bits.csv", "ladder.csv",
    }  # fmt: skip
    rungs = pd.read_csv(ladder_study / "ladder.csv")
    assert rungs.loc[rungs["rung"] == "two", "multiplier"].tolist() == [2.0, 2.0]
    text = (ladder_study / "worth.md").read_text()
    assert "gap: at 1,000 labels, what two assumes is worth 2.0 [2.0, 2.0] times the labels of one." in text
    assert "| gap | 3. three | assumption 2 | two |" in text
    bits = pd.read_csv(ladder_study / "bits.csv")
    one = bits[(bits["target"] == "gap") & (bits["a"] == "two") & (bits["b"] == "one")]
    assert one["bits_per_label"].item() == pytest.approx(0.5)  # twice the labels at an exponent of a half


def test_seconds_and_parameters_are_axes_too(write_study: WriteStudy, make_record: MakeRecord) -> None:
    timed = []
    for model, scale, pace in (("deep_sets", 20, 0.01), ("gnn", 10, 0.02)):
        for size in SIZES:
            record = make_record(model, _maes(scale, 0.5, size), train_size=size)
            cost = record.cost.model_copy(update={"train_seconds": 3 * pace * size})
            timed.append(record.model_copy(update={"cost": cost}))
    worth = read_worth(write_study("timed", *timed), by="seconds", at=20)
    (sentence,) = sentences(worth)  # a quarter of the labels, each at twice the time
    assert sentence.startswith("gap: for the error of gnn at 20 training seconds, deep_sets needs 2.0 [2.0, 2.0] times")
    sizes = (10_000, 20_000, 40_000, 80_000)
    records = [
        make_record(model, _maes(scale, 0.25, size), budget=size, parameters=size, baselines=False)
        for model, scale in (("deep_sets", 2.0), ("gnn", 2.0 / 2**0.25))
        for size in sizes
    ]
    by_parameters = read_worth(write_study("sizes", *records), by="parameters")
    assert [curve.model for curve in by_parameters.curves] == ["deep_sets (1,000 molecules)", "gnn (1,000 molecules)"]
    row = by_parameters.multipliers[by_parameters.multipliers["at"] == 20_000].iloc[0]
    assert row["multiplier"] == pytest.approx(2)


def test_what_cannot_be_told_is_said(study: Path, write_study: WriteStudy, make_record: MakeRecord) -> None:
    single = write_study("single", make_record("gnn", _maes(10, 0.5, 500), train_size=500))
    with pytest.raises(InputError, match=r"single has no curve: expected a model trained at two sizes"):
        read_worth(single)
    with pytest.raises(InputError, match=r"--at 5000 lies outside .* expected 500 to 4000"):
        read_worth(study, at=5000)
    with pytest.raises(InputError, match=r"--by `label` is not possible: did you mean `labels`"):
        read_worth(study, by="label")
    assert read_worth(study).laws.empty  # four sizes are too few for a law


def test_one_seed_is_said_to_be_one(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [make_record("gnn", {("gap", 0): 10 / size}, train_size=size) for size in SIZES]
    folder = write_study("lonely", *records)
    console = Console(file=io.StringIO(), width=120)
    show_worth(folder, console)
    assert "Some points have one seed" in (folder / "worth.md").read_text()
