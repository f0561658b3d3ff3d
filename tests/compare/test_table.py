import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.comparison import Report, make_report
from ibbench.compare.study import gather, read_study
from ibbench.compare.table import build_table, select
from ibbench.compare.table_file import read_table, to_csv
from ibbench.errors import InputError
from ibbench.record.folder import RunIdentity, StudyFolder
from ibbench.record.schema import Record
from ibbench.report import markdown
from ibbench.report.comparison import page
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
GAP = {("gap", 0): 0.2, ("gap", 1): 0.3, ("gap", 2): 0.4}


def _table(*records: Record) -> pd.DataFrame:
    return build_table(gather("x", list(records)))


def _report(*records: Record) -> Report:
    return make_report(gather("x", list(records)))


def _page(report: Report) -> str:
    return markdown.write(page(report))


def test_a_row_is_the_mean_and_sample_deviation_over_seeds(make_record: MakeRecord) -> None:
    row = _table(make_record("gnn", GAP)).set_index("model").loc["gnn"]
    assert row["num_seeds"] == 3
    assert row["mae_mean"] == pytest.approx(0.3)
    assert row["mae_std"] == pytest.approx(0.1)
    assert row["rmse_mean"] == pytest.approx(0.45)
    assert row["train_seconds"] == pytest.approx(4.0)
    assert row["molecules_per_second"] == pytest.approx(3 * 10 * 1000 / 4.0)
    assert row["mae_over_chemical_accuracy"] == pytest.approx(0.3 / 0.043)


def test_one_seed_has_no_deviation_and_gets_no_verdict(make_record: MakeRecord, write_study: WriteStudy) -> None:
    one = {("gap", 0): 0.2}
    study = read_study(write_study("one", make_record("gnn", one), make_record("mlp", {("gap", 0): 0.4})))
    table = build_table(study)
    assert table["mae_std"].isna().all()
    words = dict(zip(table["model"], table["verdict_vs_best"], strict=True))
    assert words["mlp"] == "higher (one seed: seed variance unknown)"
    assert words["gnn"] == "best"
    low, high = table.set_index("model").loc["mlp", ["difference_to_best_low", "difference_to_best_high"]]
    assert 0 < low < 0.2 < high
    text = _page(make_report(study))
    assert "| **0.2000** |" in text
    assert "how much another seed would change them is unknown" in text


def test_a_run_of_two_targets_shares_its_time_between_their_rows(make_record: MakeRecord) -> None:
    maes = {("gap", 0): 0.2, ("gap", 1): 0.2, ("mu", 0): 0.5, ("mu", 1): 0.5}
    table = _table(make_record("gnn", maes))
    assert table[table["model"] == "gnn"]["train_seconds"].tolist() == [2.0, 2.0]
    assert table[table["model"] == "gnn"]["target"].tolist() == ["mu", "gap"]  # the order of QM9


def test_rows_stand_in_a_stable_order_with_baselines_first(make_record: MakeRecord) -> None:
    records = [make_record(model, GAP) for model in ("gnn", "zebra", "mlp", "graph_transformer", "deep_sets")]
    expected = ["mean", "mlp", "deep_sets", "gnn", "graph_transformer", "zebra"]
    assert _table(*records)["model"].tolist() == expected
    assert to_csv(_table(*records)) == to_csv(_table(*records[::-1]))


def test_a_baseline_that_is_not_known_here_is_one_all_the_same(make_record: MakeRecord) -> None:
    record = make_record("gnn", GAP)
    (mean,) = record.baselines
    other = record.model_copy(update={"baselines": (mean, mean.model_copy(update={"name": "of_tomorrow"}))})
    study = gather("x", [other])
    assert {entry.key.model: entry.key.is_baseline for entry in study.entries} == {
        "mean": True, "of_tomorrow": True, "gnn": False,
    }  # fmt: skip
    assert "## Pairs" not in _page(make_report(study))  # those of trained models, of which there is but one


def test_options_that_differ_become_variants_and_shared_ones_do_not(make_record: MakeRecord) -> None:
    table = _table(make_record("gnn", GAP), make_record("gnn", GAP, lr=0.01), make_record("graph_transformer", GAP))
    assert table["variant"].tolist() == ["", "optimizer.lr=0.001", "optimizer.lr=0.01", "optimizer.lr=0.001"]
    sizes = _table(make_record("gnn", GAP), make_record("gnn", GAP, train_size=5000))
    assert set(sizes["variant"]) == {""}
    assert sizes["train_size"].tolist() == [1000, 1000, 5000, 5000]


def test_runs_that_differ_only_in_a_null_stay_apart(make_record: MakeRecord) -> None:
    table = _table(make_record("gnn", GAP), make_record("gnn", {("gap", 0): 0.5}, budget=None))
    assert table["variant"].tolist() == ["", "budget=null", "budget.parameters=100"]
    assert table["mae_mean"].tolist() == pytest.approx([1.0, 0.5, 0.3])


@pytest.mark.parametrize(
    ("field", "values"), [("source", ("csv:1", "csv:2")), ("split", ("abc", "def")), ("hydrogens", ("a", "b"))]
)
def test_what_is_not_the_same_task_is_in_two_sections_that_are_not_compared(
    make_record: MakeRecord, field: str, values: tuple[str, str]
) -> None:
    better = {replica: mae / 2 for replica, mae in GAP.items()}
    report = _report(make_record("gnn", GAP, **{field: values[0]}), make_record("gnn", better, **{field: values[1]}))
    assert report.table[field].tolist() == [values[0]] * 2 + [values[1]] * 2
    assert report.table["verdict_vs_best"].tolist() == ["worse", "best"] * 2
    assert set(report.pairs["a"]) == {"mean"}
    text = _page(report)
    assert f"## {field} {values[0]}" in text
    assert f"The sections differ in {field}" in text


def test_a_target_in_two_units_is_not_compared(make_record: MakeRecord) -> None:
    report = _report(make_record("gnn", GAP), make_record("mlp", GAP, unit="meV"))
    assert report.table[~(report.table["model"] == "mean")]["verdict_vs_best"].tolist() == ["best", "best"]
    assert "gap is in eV and in meV: these are not compared." in _page(report)
    assert len(read_table(to_csv(report.table), "it")) == 4


def test_the_same_replica_in_two_runs_counts_once(make_record: MakeRecord) -> None:
    table = _table(make_record("gnn", {("gap", 0): 0.2}), make_record("gnn", GAP)).set_index("model")
    assert table.loc["gnn", "num_seeds"] == 3
    assert table.loc["mean", "num_seeds"] == 3


def test_failed_runs_are_named_and_not_counted(make_record: MakeRecord) -> None:
    report = _report(make_record("gnn", GAP), make_record("mlp", GAP, status="failed"))
    assert "mlp" not in report.table["model"].tolist()
    assert "Failed: mlp-0.001-1000-3-100-qm9pack-abc-implicit-eV: the loss was no longer finite" in _page(report)


def test_ratios_can_be_taken_to_any_model_of_the_same_variant(make_record: MakeRecord) -> None:
    maes = {"mlp": 0.4, "gnn": 0.2}
    records = [
        make_record(model, {("gap", seed): mae * (1 + lr) + seed / 1000 for seed in range(3)}, lr=lr)
        for model, mae in maes.items()
        for lr in (0.0, 1.0)
    ]
    study = gather("x", records)
    table = build_table(study, relative_to="mlp").set_index(["model", "variant"])
    assert table.loc["gnn", "ratio_to_mlp"].tolist() == pytest.approx([0.5, 0.5], rel=0.01)
    assert table.loc["gnn", "verdict_vs_mlp"].tolist() == ["better", "better"]
    assert table.loc["mlp", "verdict_vs_mlp"].tolist() == ["mlp", "mlp"]
    with pytest.raises(InputError, match="no model `gmn`: did you mean `gnn`"):
        build_table(study, relative_to="gmn")


def test_the_pareto_front_takes_costs_of_one_budget_as_equal(make_record: MakeRecord) -> None:
    def one(model: str, mae: float, parameters: int) -> Record:
        return make_record(model, {("gap", 0): mae}, parameters=parameters, baselines=False)

    table = _table(one("mlp", 0.4, 99), one("gnn", 0.2, 100), one("deep_sets", 0.5, 50), one("big", 0.3, 1000))
    front = dict(zip(table["model"], table["pareto"].str.contains("parameters"), strict=True))
    assert front == {"mlp": False, "gnn": True, "deep_sets": True, "big": False}


def test_rows_are_chosen_and_sorted_within_their_group(make_record: MakeRecord) -> None:
    maes = {("gap", 0): 0.2, ("mu", 0): 0.5}
    table = _table(make_record("gnn", maes), make_record("mlp", {key: 2 * mae for key, mae in maes.items()}))
    assert select(table, ["gap"], "mae_mean")["model"].tolist() == ["gnn", "mlp", "mean"]
    assert select(table, [], "-mae_mean")["model"].tolist() == ["mean", "mlp", "gnn"] * 2
    for targets, sort, message in ((["gab"], None, "did you mean `gap`"), ([], "mae_maen", "did you mean `mae_mean`")):
        with pytest.raises(InputError, match=message):
            select(table, targets, sort)


def test_two_runs_of_one_config_are_refused(make_record: MakeRecord, write_study: WriteStudy) -> None:
    record = make_record("gnn", GAP)
    study = write_study("doubled", record, record.model_copy(update={"run": "gnn-of-another-version"}))
    with pytest.raises(InputError, match="are runs of the same config"):
        tabulate(study, QUIET)
    facts = record.config, record.data_source, record.split_fingerprint
    with pytest.raises(InputError, match="is a run of the same config, by another version"):
        StudyFolder.at(study).refuse_doubles([RunIdentity("gnn-of-a-third", *facts)])
    StudyFolder.at(study).refuse_doubles([RunIdentity("gnn-of-a-third", record.config | {"loss": "mse"}, *facts[1:])])


def test_two_models_and_two_targets_make_a_summary(make_record: MakeRecord) -> None:
    maes = {("gap", 0): 0.3, ("mu", 0): 0.5}
    report = _report(make_record("gnn", maes), make_record("mlp", {key: 2 * mae for key, mae in maes.items()}))
    text = _page(report)
    assert "| gnn | 2 |" in text.partition("## ")[2]
    assert "mean ranks of trained models that differ" not in text  # no test of ranks could reject anything with two


def test_rows_of_other_seeds_are_compared_with_the_means_that_are_shown(make_record: MakeRecord) -> None:
    # On the two seeds that both have, the GNN is better; over all of its seeds, it is not.
    mlp = {("gap", seed): 0.30 + seed / 1000 for seed in range(5)}
    gnn = {("gap", 0): 0.29, ("gap", 1): 0.291, ("gap", 9): 0.9}
    report = _report(make_record("gnn", gnn), make_record("mlp", mlp))
    rows = report.table.set_index("model")
    assert rows.loc["mlp", "verdict_vs_best"] == "best"
    assert rows.loc["gnn", "difference_to_best"] == pytest.approx(rows["mae_mean"]["gnn"] - rows["mae_mean"]["mlp"])
    assert rows.loc["gnn", "among_best"]
    assert "Some rows have other seeds than others" in _page(report)


def test_without_predictions_seeds_decide_and_the_table_says_so(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    half = {key: mae / 2 for key, mae in GAP.items()}
    study = write_study("seeds", make_record("deep_sets", GAP), make_record("gnn", half), predictions=False)
    report = make_report(read_study(study))
    assert report.pairs["basis"].tolist() == ["seeds"] * 3
    assert "Some predictions.npz are missing" in _page(report)
