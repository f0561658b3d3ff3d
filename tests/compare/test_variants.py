"""A variant is what a user would type for it, and no two runs of a model that differ share one."""

from collections.abc import Callable

import pytest

from ibbench.compare.order import variant_order
from ibbench.compare.study import gather, read_study
from ibbench.compare.variants import find_variants, typed
from ibbench.options.config import Config
from ibbench.record.schema import Record
from ibbench.report.lengths import tell_lengths
from tests.compare.conftest import MakeRecord, WriteStudy

MakeRun = Callable[..., Record]
MAES = {("gap", seed): 0.3 + seed / 100 for seed in range(2)}


@pytest.fixture
def run(make_record: MakeRecord, config: Callable[..., Config]) -> MakeRun:
    """Make a record of a run with real options; its errors are invented."""

    def make(*overrides: str) -> Record:
        composed = config(*overrides)
        record = make_record(composed.model.name, MAES, baselines=False)
        size = composed.data.train_size or record.train_size
        return record.model_copy(update={"config": composed.numerics(), "run": " ".join(overrides), "train_size": size})

    return make


def _said(*records: Record) -> list[str]:
    return [" ".join(f"{key}={value}" for key, value in variant.items()) for variant in find_variants(records)]


def test_the_name_of_a_file_stands_for_its_options(run: MakeRun) -> None:
    typed_words = [
        f"optimizer={optimizer} schedule={schedule}"
        for optimizer in ("adam", "sgd", "sgd_momentum")
        for schedule in ("step", "warmup_cosine")
    ]
    records = [run(f"model={model}", *words.split()) for model in ("mlp", "gat") for words in typed_words]
    assert _said(*records) == typed_words * 2
    assert len(gather("x", records).entries) == len(records)


def test_what_differs_from_the_file_is_said_too(run: MakeRun) -> None:
    assert _said(run("optimizer=sgd", "optimizer.lr=0.5"), run("optimizer=adam")) == [
        "optimizer=sgd optimizer.lr=0.5",
        "optimizer=adam",
    ]
    rates = [run("optimizer=sgd", f"optimizer.lr={rate}") for rate in (0.05, 0.5)]
    assert _said(*rates, run("optimizer=adam")) == [
        "optimizer=sgd optimizer.lr=0.05",
        "optimizer=sgd optimizer.lr=0.5",
        "optimizer=adam",
    ]
    assert _said(*rates) == ["optimizer.lr=0.05", "optimizer.lr=0.5"]


def test_options_that_records_leave_out_are_said_where_they_differ(run: MakeRun) -> None:
    said = _said(run("model=gnn"), run("model=gnn", "data.labels=shuffled"), run("model=gnn", "data.label_noise=0.5"))
    assert said == [
        "data.label_noise=0.0 data.labels=true",
        "data.label_noise=0.0 data.labels=shuffled",
        "data.label_noise=0.5 data.labels=true",
    ]
    assert _said(run("model=gnn"), run("model=gnn", "trainer.keep=last")) == ["trainer.keep=best", "trainer.keep=last"]


def test_a_group_that_is_absent_is_null_as_a_whole(run: MakeRun) -> None:
    said = _said(run("budget=null", "model.width=8"), run("budget.value=5000"))
    assert "budget=null" in said[0].split()
    assert said[0].count("budget") == 1
    assert "budget.value=5000.0" in said[1].split()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (0.001, "0.001"), ([1, "a"], "[1,a]"), ("cosine", "cosine")],
)
def test_values_are_written_as_they_are_typed(value: object, text: str) -> None:
    assert typed(value) == text


def test_a_length_of_training_that_each_train_size_has_is_no_variant(run: MakeRun) -> None:
    longer = {250: 2000, 1000: 4000}
    curve = [
        run(f"model={model}", f"data.train_size={size}", "trainer.epochs=null", f"trainer.steps={steps}")
        for model in ("mlp", "gnn")
        for size, steps in longer.items()
    ]
    assert _said(*curve) == [""] * 4
    assert tell_lengths(gather("x", curve).entries) == (
        "Trained for 2,000 steps at 250, 4,000 steps at 1,000 train molecules."
    )
    other = run("model=gnn", "data.train_size=1000", "trainer.epochs=null", "trainer.steps=8000")
    assert all(variant.startswith("trainer.steps=") for variant in _said(*curve, other))
    assert tell_lengths(gather("x", [*curve, other]).entries) is None


def test_a_length_that_each_split_has_is_no_variant_and_told_with_the_split(run: MakeRun) -> None:
    longer = ("data.split=scaffold", "trainer.epochs=null", "trainer.steps=8000", "data.train_size=1000")
    usual = ("data.split=random", "trainer.epochs=null", "trainer.steps=4000", "data.train_size=1000")
    runs = [run(f"model={model}", *options) for model in ("mlp", "gnn") for options in (usual, longer)]
    apart = [record.model_copy(update={"split_fingerprint": str(number % 2)}) for number, record in enumerate(runs)]
    assert _said(*apart) == ["data.split=random", "data.split=scaffold"] * 2
    with_both = run("model=mlp", *usual[1:], "data.split=scaffold").model_copy(update={"split_fingerprint": "1"})
    assert tell_lengths(gather("x", [*apart, with_both]).entries) is None
    told = tell_lengths(gather("x", apart).entries)
    assert told == "Trained for 4,000 steps at 1,000 train molecules; 8,000 steps at 1,000 on qm9pack (scaffold)."


def test_baselines_that_read_no_features_have_one_row_for_all_of_them(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    records = []
    for features in ("qm9", "organic"):
        record = make_record("gnn", {("gap", seed): 0.2 for seed in (0, 1)})
        config = record.config | {"data": record.config["data"] | {"features": features}}
        records.append(record.model_copy(update={"config": config, "run": f"gnn-{features}"}))
    entries = read_study(write_study("both", *records)).entries
    found = [(entry.key.model, entry.key.variant) for entry in entries]
    assert found == [("mean", ""), ("gnn", "data.features=organic"), ("gnn", "data.features=qm9")]
    assert all(len(entry.replicas) == 2 for entry in entries)


def test_variants_are_in_the_order_of_their_numbers() -> None:
    words = ["model.depth=2 optimizer=sgd", "model.depth=10 optimizer=adam", "model.depth=10 optimizer=sgd"]
    words += ["model.depth=1e3 optimizer=sgd", "model.depth=null optimizer=adam"]
    assert sorted((words[place] for place in (3, 0, 4, 2, 1)), key=variant_order) == words
