"""`ibbench worth` on invented studies: the words, the files, and what it refuses."""

import io
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.worth import show_worth
from ibbench.compare.study import read_study
from ibbench.errors import InputError
from ibbench.record.schema import RungEntry
from ibbench.report.worth import sentences
from ibbench.worth.worth import make_worth, read_worth
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


def test_worth_is_told_at_the_size_that_the_config_named(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [
        make_record(name, _maes(scale, 0.5, size), train_size=size)
        for name, scale in (("deep_sets", 20), ("gnn", 10))
        for size in SIZES
    ]
    named = [record.model_copy(update={"worth_at": 2000}) for record in records]
    (told,) = sentences(read_worth(write_study("named", *named)))
    assert told.startswith("gap: at 2,000 labels, what gnn assumes is worth more than 2.0 times the labels")
    (told,) = sentences(read_worth(write_study("half", *named[:4], *records[4:])))
    assert told.startswith("gap: at 1,000 labels")  # the configs of the study do not agree


def test_models_that_the_table_does_not_tell_apart_are_not_told_apart(
    write_study: WriteStudy, make_record: MakeRecord
) -> None:
    random = np.random.default_rng(0)
    names = ("mlp", "deep_sets", "gnn", "gat", "transformer", "graph_transformer")
    records = []
    for name in names:
        scale = 19.2 if name == "gnn" else 20.0
        for size in SIZES:
            noisy = {key: mae * math.exp(0.02 * random.normal()) for key, mae in _maes(scale, 0.5, size).items()}
            records.append(make_record(name, noisy, train_size=size))
    worth = read_worth(write_study("close", *records))
    rows = worth.multipliers[worth.multipliers["at"] == worth.at]
    undecided = rows[(rows["multiplier_low"] > 1) & (rows["p_holm"] >= 0.05)]
    assert len(undecided)  # the interval of one pair names some
    told = list(sentences(worth))
    for a, b in undecided[["a", "b"]].to_numpy():
        assert not any(f"what {a} assumes" in sentence and f"of {b}." in sentence for sentence in told)
    assert any("not distinguishable" in sentence for sentence in told)


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


def test_the_rungs_of_one_train_size_are_compared_all_the_same(ladder_study: Path) -> None:
    for path in ladder_study.glob("runs/*"):
        if "-4000-" not in path.name:
            shutil.rmtree(path)
    worth = read_worth(ladder_study)
    assert worth.curves == []
    assert worth.at is None
    assert worth.ladder["verdict"].tolist()[1:4] == ["better"] * 3
    assert worth.ladder["multiplier"].isna().all()
    show_worth(ladder_study, Console(file=io.StringIO(), width=200))
    assert "| gap | 2. two |" in (ladder_study / "worth.md").read_text()


def test_variants_of_a_rung_keep_apart_and_each_is_told_against_its_own(
    write_study: WriteStudy, make_record: MakeRecord
) -> None:
    records = []
    for lr, scale in ((0.001, 10), (0.01, 30)):
        for model, after, factor in (("mlp", None, 2.0), ("gnn", "mlp", 1.0)):
            rung = RungEntry(number=1 + (after is not None), name=model, adds="x", after=after)
            for size in SIZES:
                record = make_record(model, _maes(factor * scale, 0.5, size), train_size=size, lr=lr)
                records.append(record.model_copy(update={"rung": rung}))
    worth = read_worth(write_study("rates", *records))
    names = [
        "mlp (optimizer.lr=0.001)",
        "mlp (optimizer.lr=0.01)",
        "gnn (optimizer.lr=0.001)",
        "gnn (optimizer.lr=0.01)",
    ]
    assert [curve.model for curve in worth.curves] == names
    table = worth.ladder.set_index("rung")
    for lr, scale in ((0.001, 10), (0.01, 30)):
        row = table.loc[f"gnn (optimizer.lr={lr})"]
        assert row["after"] == f"mlp (optimizer.lr={lr})"
        assert row["gain"] == pytest.approx(np.mean(list(_maes(scale, 0.5, 4000).values())))


def test_sections_are_told_apart(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [
        make_record(model, _maes(scale, 0.5, size), train_size=size, hydrogens=hydrogens, baselines=False)
        for hydrogens, scales in (("implicit", (20, 10)), ("explicit", (30, 10)))
        for model, scale in zip(("deep_sets", "gnn"), scales, strict=True)
        for size in SIZES
    ]
    folder = write_study("sections", *records)
    worth = read_worth(folder)
    told = list(sentences(worth))
    assert "hydrogens explicit: gap: at 1,000 labels, what gnn assumes is worth more than 4.0 times" in told[0]
    assert "hydrogens implicit: gap: at 1,000 labels, what gnn assumes is worth 4.0 [4.0, 4.0]" in told[1]
    show_worth(folder, Console(file=io.StringIO(), width=200))
    text = (folder / "worth.md").read_text()
    assert text.count("| gap | gnn | deep_sets |") == 4  # factors and bits, of both


def test_a_cheaper_training_that_was_as_good_hides_a_dearer_one(
    write_study: WriteStudy, make_record: MakeRecord
) -> None:
    records = []
    for size, seconds, mae in ((500, 30, 0.5), (1000, 31, 0.4), (2000, 29, 0.6), (4000, 90, 0.45), (8000, 120, 0.3)):
        record = make_record("gnn", {("gap", seed): mae for seed in range(3)}, train_size=size)
        cost = record.cost.model_copy(update={"train_seconds": 3.0 * seconds})
        records.append(record.model_copy(update={"cost": cost}))
    (curve,) = read_worth(write_study("noisy", *records), by="seconds").curves
    assert curve.sizes.tolist() == [29, 120]  # 29, 30 and 31 seconds are the same, as timings go
    assert curve.maes == pytest.approx([0.4, 0.3])


def test_runs_that_failed_are_named(study: Path, write_study: WriteStudy, make_record: MakeRecord) -> None:
    failed = make_record("mlp", _maes(1, 0.5, 500), train_size=500, status="failed", baselines=False)
    write_study(study.name, failed)
    show_worth(study, Console(file=io.StringIO(), width=120))
    assert f"Missing, because they failed: {failed.run}." in (study / "worth.md").read_text()


def test_pairs_that_nobody_would_read_are_left_to_the_csv(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [
        make_record(f"m{number}", _maes(10 + number, 0.5, size), train_size=size, baselines=False)
        for number in range(7)
        for size in SIZES[:2]
    ]
    folder = write_study("many", *records)
    console = Console(file=io.StringIO(), width=200)
    show_worth(folder, console)
    assert "21 pairs were compared: see multipliers.csv." in (folder / "worth.md").read_text()
    assert "What A saves against B" not in console.file.getvalue()
    assert len(pd.read_csv(folder / "multipliers.csv")) == 2 * 21 * 2
