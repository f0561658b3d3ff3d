"""Which trial of a random search a table shows, and what its expected best errors are."""

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.comparison import Report, make_report
from ibbench.compare.search import expected_best, expected_best_interval
from ibbench.compare.study import gather
from ibbench.errors import InputError
from ibbench.record.schema import MetricsEntry, Record
from ibbench.record.tables import refuse_if_edited
from ibbench.report import json as json_writer
from ibbench.report import markdown, screen
from ibbench.report.comparison import brief, content, page
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)


@pytest.fixture
def make_trial(make_record: MakeRecord) -> MakeRecord:
    def make(
        model: str, number: int, validation: float, test: float = 0.5, *, targets: tuple[str, ...] = ("gap",), **facts
    ) -> Record:
        """Make the record of a trial whose replicas have these errors, a little apart; its draw follows its number."""
        maes = {(target, seed): test + seed / 1000 for target in targets for seed in range(3)}
        record = make_record(model, maes, lr=(number + 1) / 1000, **facts)
        replicas = tuple(
            entry.model_copy(update={"validation": _metrics(validation + (entry.seed - 1) / 1000)})
            for entry in record.replicas
        )
        draw = {"optimizer": {"lr": (number + 1) / 1000, "weight_decay": 0.01 / (number + 1)}}
        config = record.config | draw | {"model": record.config["model"] | {"depth": 2 + number % 5, "dropout": 0.1}}
        return record.model_copy(update={"trial": number, "replicas": replicas, "config": config})

    return make


def _metrics(mae: float) -> MetricsEntry:
    return MetricsEntry(mae=mae, rmse=mae, r2=None, mae_over_std=None)


def _report(*records: Record) -> Report:
    return make_report(gather("x", list(records)))


def _page(report: Report) -> str:
    return markdown.write(page(report))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_estimate_is_the_mean_of_the_minimum_over_all_subsets(count: int) -> None:
    errors = np.random.default_rng(count).exponential(size=count)
    for n in range(1, count + 1):
        minima = [min(subset) for subset in itertools.combinations(errors, n)]
        assert expected_best(errors)[n - 1] == pytest.approx(np.mean(minima), rel=1e-12)


def test_one_trial_is_expected_to_be_average_and_all_to_find_the_best() -> None:
    errors = np.random.default_rng(0).exponential(size=200)
    expected = expected_best(errors)
    assert expected[0] == pytest.approx(errors.mean())
    assert expected[-1] == errors.min()
    assert (np.diff(expected) < 0).all()
    low, high = expected_best_interval(errors)
    assert (low <= expected)[:50].all()
    assert (expected <= high)[:50].all()
    assert np.isnan([low[50:], high[50:]]).all()  # with fewer than four times as many trials
    assert np.isnan(expected_best_interval(errors[:3])).all()


def test_failed_trials_are_the_worst() -> None:
    errors = np.array([0.3, np.inf, 0.2, np.inf])
    expected = expected_best(errors)
    assert np.isinf(expected[:2]).all()  # two trials may both fail
    minima = [min(subset) for subset in itertools.combinations(errors, 3)]
    assert expected[2:].tolist() == pytest.approx([np.mean(minima), 0.2])
    low, high = expected_best_interval(np.array([0.3, 0.2, 0.4, np.inf, 0.5, 0.3, 0.2, 0.6]))
    assert np.isfinite(low[0])
    assert np.isinf(high[:2]).all()


def test_the_estimate_is_unbiased() -> None:
    draws = np.random.default_rng(0).exponential(size=(20_000, 6))
    # The minimum of n exponential variables has the mean 1/n.
    assert expected_best(draws).mean(axis=0) == pytest.approx(1 / np.arange(1, 7), rel=0.03)


def test_the_trial_is_chosen_by_validation_whatever_the_test_says(make_trial: MakeRecord) -> None:
    report = _report(make_trial("gnn", 0, 0.30, test=0.9), make_trial("gnn", 1, 0.31, test=0.1))
    rows = report.table.set_index("model")
    assert rows.loc["gnn", "mae_mean"] == pytest.approx(0.901)
    assert report.tuning["chosen_trial"].tolist() == [0, 0]
    assert report.tuning["validation_mae"].tolist() == pytest.approx([0.305, 0.30])


def test_each_model_has_one_row_and_baselines_are_not_multiplied(make_trial: MakeRecord) -> None:
    records = [make_trial(model, number, 0.3 + number / 100) for model in ("mlp", "gnn") for number in range(4)]
    report = _report(*records)
    assert report.table["model"].tolist() == ["mean", "mlp", "gnn"]
    assert set(report.table["variant"]) == {""}
    assert set(report.table["num_seeds"]) == {3}
    assert set(report.tuning["num_trials"]) == {4}
    assert report.provenance.options["optimizer.lr"] == 0.001


def test_each_target_has_its_own_choice(make_trial: MakeRecord) -> None:
    records = [make_trial("gnn", number, 0.3, targets=("gap", "mu")) for number in range(2)]
    for number, target in enumerate(("gap", "mu")):
        better = [
            entry.model_copy(update={"validation": _metrics(0.2)}) if entry.target == target else entry
            for entry in records[number].replicas
        ]
        records[number] = records[number].model_copy(update={"replicas": tuple(better)})
    report = _report(*records)
    assert report.tuning.groupby("target")["chosen_trial"].first().to_dict() == {"gap": 0, "mu": 1}
    assert report.provenance.options["optimizer.lr"] == {"gap": 0.001, "mu": 0.002}
    assert report.summary["model"].tolist() == ["mean", "gnn"]  # one row over targets, though tuned for each


def test_other_options_are_searched_separately(make_trial: MakeRecord) -> None:
    records = [
        make_trial("gnn", number, 0.3 + number, test=0.5, budget=budget, train_size=size)
        for number in range(2)
        for budget in (100, 200)
        for size in (1000, 2000)
    ]
    report = _report(*records)
    rows = report.table[report.table["model"] == "gnn"]
    assert rows[["variant", "train_size"]].to_numpy().tolist() == [
        [f"budget.parameters={budget}", size] for size in (1000, 2000) for budget in (100, 200)
    ]
    assert report.tuning["num_trials"].tolist() == [2] * 8


def test_a_trial_of_two_runs_is_one_trial(make_trial: MakeRecord) -> None:
    whole = make_trial("gnn", 0, 0.3)
    part = whole.model_copy(update={"run": "gnn-part", "replicas": whole.replicas[:1]})
    report = _report(whole, part, make_trial("gnn", 1, 0.4))
    assert report.tuning["num_trials"].tolist() == [2, 2]
    assert report.tuning["validation_mae"].iloc[-1] == pytest.approx(0.3)


def test_a_model_without_tuning_stands_beside_the_tuned(make_trial: MakeRecord) -> None:
    untuned = make_trial("gnn", 9, 0.2).model_copy(update={"trial": None})
    report = _report(untuned, make_trial("gnn", 0, 0.3), make_trial("gnn", 1, 0.4))
    _, of_untuned, of_tuned = report.table["variant"]
    assert "optimizer.lr=0.01" in of_untuned
    assert of_tuned == "tuned=true"
    assert report.tuning["num_trials"].tolist() == [2, 2]


def test_failed_trials_count_and_a_model_of_failures_has_no_row(make_trial: MakeRecord) -> None:
    records = [
        make_trial("gnn", 0, 0.3),
        make_trial("gnn", 1, 0.3, status="failed"),
        make_trial("mlp", 0, 0.3, status="failed"),
    ]
    report = _report(*records)
    assert report.table["model"].tolist() == ["mean", "gnn"]
    assert report.tuning["num_failed"].tolist() == [1, 1]
    assert report.tuning["validation_mae"].tolist() == pytest.approx([np.inf, 0.3])
    assert "| ∞ | 0.3000 |" in _page(report)
    assert json.loads(json_writer.write(content(report)))["tuning"][0]["validation_mae"] is None


def test_unequal_numbers_of_trials_are_said_and_compared_at_the_common_one(make_trial: MakeRecord) -> None:
    records = [make_trial("gnn", number, 0.3 + number / 100) for number in range(5)]
    records += [make_trial("mlp", number, 0.3 + number / 100) for number in range(3)]
    report = _report(*records)
    text = _page(report)
    assert "The numbers of trials differ (mlp 3, gnn 5)" in text
    assert "Compare the models at n = 3" in text
    assert "| n = 1 | n = 2 | n = 3 |\n" in text
    assert "other draws" not in text  # those of the MLP are the first of those of the GNN
    assert report.tuning.groupby("model")["n"].max().to_dict() == {"gnn": 5, "mlp": 3}


def test_other_draws_are_said(make_trial: MakeRecord) -> None:
    same = _report(make_trial("gnn", 0, 0.3), make_trial("mlp", 0, 0.3))
    other = _report(make_trial("gnn", 0, 0.3), make_trial("mlp", 1, 0.3))
    assert "had other draws" not in _page(same)
    assert "Some models had other draws than others" in _page(other)


def test_the_tuning_is_a_file_and_a_section_and_its_edits_are_noticed(
    make_trial: MakeRecord, write_study: WriteStudy
) -> None:
    targets = ("gap", "mu")
    records = [make_trial("gnn", number, 0.3 + number / 100, targets=targets) for number in range(3)]
    study = write_study("tuned", *records)
    tabulate(study, QUIET)
    assert "## Tuning" in (study / "table.md").read_text()
    written = (study / "tuning.csv").read_text()
    assert len(written.splitlines()) == 1 + 2 * 3
    printed = Console(file=io.StringIO(), width=200)
    tabulate(study, printed, "md", targets=["mu"])
    assert "| gap |" not in printed.file.getvalue()
    (study / "tuning.csv").write_text(written.replace("gnn", "mlp"))
    with pytest.raises(InputError, match="edited by hand"):
        refuse_if_edited(study)


def test_the_tuning_fits_a_terminal_of_80_columns(make_trial: MakeRecord) -> None:
    records = [make_trial("graph_transformer", number, 0.3 + number / 100) for number in range(16)]
    console = Console(width=80, file=io.StringIO())
    screen.show(brief(_report(*records)), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "n = 1 " in text
    assert "n = 16" in text


def test_a_study_without_trials_says_nothing_of_tuning(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study: Path = write_study("plain", make_record("gnn", {("gap", seed): 0.3 for seed in range(3)}))
    tabulate(study, QUIET)
    assert not (study / "tuning.csv").exists()
    assert "uning" not in (study / "table.md").read_text()
