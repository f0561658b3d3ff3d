"""The mean over seeds and what their deviation promises, against cases whose truth is known."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.calibration import calibrate, divide, ence, interval_factor, measure_calibration, measure_runs
from ibbench.compare.diff import diff
from ibbench.compare.side import read_side
from ibbench.compare.study import read_study
from ibbench.record.schema import Record
from ibbench.report import markdown
from ibbench.report.calibration import ensembles, tell_coverage
from ibbench.report.document import Table
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
GAP = {("gap", 0): 0.2, ("gap", 1): 0.3, ("gap", 2): 0.4}
FIXTURES = Path(__file__).parents[1] / "report" / "fixtures"
COLUMNS = [
    "ensemble_mae", "ensemble_mae_low", "ensemble_mae_high", "ensemble_rmse", "coverage_90", "ence", "ence_ideal",
]  # fmt: skip


def _one_more_seed(generator: np.random.Generator, seeds: int, molecules: int) -> np.ndarray:
    """Draw errors where the true value is one more draw from what the seeds predict; molecules are unequally hard."""
    hard = np.exp(0.5 * generator.normal(size=molecules))
    return hard * (generator.normal(size=(seeds, molecules)) - generator.normal(size=molecules))


@pytest.mark.parametrize(("stated", "expected"), [(1.0, 0.0), (0.5, 1.0), (2.0, 0.5)])
def test_ence_is_0_where_the_error_is_what_is_stated(stated: float, expected: float) -> None:
    # Where half is stated, the RMSE is 2 RMV in each bin, and |RMV - 2 RMV| / RMV = 1; where twice, |2 - 1| / 2.
    generator = np.random.default_rng(0)
    sigma = np.exp(generator.normal(size=100_000))
    bins = divide(sigma * generator.normal(size=len(sigma)), (stated * sigma) ** 2)
    assert [one.num_molecules for one in bins] == [10_000] * 10
    assert sorted(one.deviation for one in bins) == [one.deviation for one in bins]
    found = ence([(one.deviation, one.rmse) for one in bins])
    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_the_interval_holds_90_percent_and_ence_is_the_ideal_one_if_the_truth_is_one_more_seed(seeds: int) -> None:
    generator = np.random.default_rng(seeds)
    errors = _one_more_seed(generator, seeds, 40_000)
    found = calibrate(errors)
    assert found.coverage == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 40_000))
    assert found.ence == pytest.approx(found.ence_ideal, rel=0.1)
    assert found.factor == interval_factor(seeds)
    within = np.abs(errors.mean(0)) <= 1.645 * math.sqrt(1 + 1 / seeds) * errors.std(0, ddof=1)
    assert within.mean() < found.coverage - 0.01  # a normal quantile promises too much


def test_ence_of_few_seeds_is_not_0_even_if_their_deviation_is_right() -> None:
    generator = np.random.default_rng(0)
    by_seeds = {seeds: calibrate(_one_more_seed(generator, seeds, 20_000)).ence or 0 for seeds in (3, 5, 50)}
    assert by_seeds[3] > 0.6
    assert 0.25 < by_seeds[5] < 0.45
    assert by_seeds[50] < 0.08


@pytest.mark.parametrize("seeds", [2, 4, 9])
def test_independent_errors_cancel_with_the_root_of_their_number_and_equal_ones_do_not(seeds: int) -> None:
    errors = np.random.default_rng(seeds).normal(size=(seeds, 20_000))
    assert calibrate(errors).mae * math.sqrt(seeds) == pytest.approx(np.abs(errors).mean(), rel=0.02)
    alike = calibrate(np.tile(errors[0], (seeds, 1)))
    assert alike.mae == pytest.approx(np.abs(errors[0]).mean())
    assert alike.rmse == pytest.approx(math.sqrt(np.square(errors[0]).mean()))
    assert (alike.coverage, alike.ence, alike.ence_ideal) == (0.0, None, None)  # seeds that agree state no error


def test_what_all_seeds_get_wrong_is_found_out() -> None:
    generator = np.random.default_rng(0)
    shared = 5 * generator.normal(size=20_000)
    found = calibrate(shared + generator.normal(size=(5, 20_000)))
    assert found.coverage < 0.5
    assert found.ence is not None
    assert found.ence_ideal is not None
    assert found.ence > 5 * found.ence_ideal
    assert all(one.rmse > 2 * one.deviation for one in found.bins)


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_the_interval_of_the_mae_holds_that_of_other_seeds_and_molecules(shared: float) -> None:
    generator = np.random.default_rng(0)

    def draw(molecules: int) -> np.ndarray:
        seeds = 3
        drift = 0.2 * generator.normal(size=(seeds, 1)) * generator.normal(size=molecules)
        better = np.exp(0.05 * generator.normal(size=(seeds, 1)))
        return shared * generator.normal(size=molecules) + better * generator.normal(size=(seeds, molecules)) + drift

    truth = np.mean([np.abs(draw(5000).mean(0)).mean() for _ in range(300)])
    found = [calibrate(draw(500)) for _ in range(300)]
    held = np.mean([(one.low or math.inf) < truth < (one.high or 0) for one in found])
    assert held > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 300)


def test_few_test_molecules_have_no_bins() -> None:
    errors = _one_more_seed(np.random.default_rng(0), 3, 99)
    assert (calibrate(errors).bins, calibrate(errors).ence) == ((), None)
    assert 0.7 < calibrate(errors).coverage <= 1
    assert math.isfinite(calibrate(errors[:, :1]).mae)


def test_rows_of_several_seeds_have_figures_and_baselines_have_none(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    study = write_study("some", make_record("gnn", GAP), make_record("mlp", {("gap", 0): 0.3}))
    tabulate(study, QUIET)
    table = pd.read_csv(study / "table.csv").set_index("model")
    assert table.loc[["mean", "mlp"], COLUMNS].isna().all(axis=None)
    # All three err in the same direction by 0.2, 0.3 and 0.4 on average, so that their mean errs by 0.3.
    assert table.loc["gnn", "ensemble_mae"] == pytest.approx(0.3, rel=1e-3)
    assert table.loc["gnn", "ensemble_mae_low"] < 0.3 < table.loc["gnn", "ensemble_mae_high"]
    text = (study / "table.md").read_text().partition("## Ensembles")[2].partition("##")[0]
    assert ("gnn" in text, "mlp" in text) == (True, False)
    assert f"within {interval_factor(3):.2f} standard deviations (3 seeds)" in text


def test_without_predictions_or_seeds_there_is_no_table_of_ensembles(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    for name, maes, predictions in (("gone", GAP, False), ("one", {("gap", 0): 0.3}, True)):
        study = write_study(name, make_record("gnn", maes), predictions=predictions)
        tabulate(study, QUIET)
        assert pd.read_csv(study / "table.csv")[COLUMNS].isna().all(axis=None)
        assert "Ensembles" not in (study / "table.md").read_text()


def test_no_comparison_counts_an_ensemble(make_record: MakeRecord, write_study: WriteStudy) -> None:
    records: list[Record] = [make_record(model, GAP) for model in ("gnn", "mlp")]
    with_predictions = write_study("with", *records)
    tabulate(with_predictions, QUIET)
    assert not {"ensemble"} & set((with_predictions / "pairs.csv").read_text().replace(",", " ").split())
    assert len(pd.read_csv(with_predictions / "pairs.csv")) == 3  # of two models and a baseline


def test_figures_are_those_of_the_predictions_and_the_same_from_evidence(tmp_path: Path) -> None:
    study = shutil.copytree(FIXTURES / "tuned", tmp_path / "tuned")
    tabulate(study, QUIET)
    before = {one.key: measure_calibration(one) for one in read_study(study).entries}
    path = next(study.glob("runs/gnn-*/predictions.npz"))
    with np.load(path) as written:
        rows = written["target"] == "gap"
        errors = (written["prediction"] - written["truth"])[rows]
    measured = measure_runs([path.parent])["gap"]
    assert measured.num_seeds == len(errors) > 1
    assert measured.mae == pytest.approx(np.abs(errors.mean(0)).mean(), rel=5e-3)  # errors are rounded
    assert measured.rmse == pytest.approx(math.sqrt(np.square(errors.mean(0)).mean()), rel=5e-3)
    half = interval_factor(len(errors)) * errors.std(0, ddof=1)
    assert measured.coverage == pytest.approx((np.abs(errors.mean(0)) <= half).mean(), abs=0.03)
    assert measured in before.values()
    shutil.rmtree(study / "runs")
    assert {one.key: measure_calibration(one) for one in read_study(study).entries} == before
    assert any(before.values())


def test_runs_that_are_not_all_there_have_no_measured_deviation(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    record = make_record("gnn", GAP)
    study = write_study("some", record)
    run = study / "runs" / record.run
    assert measure_runs([run])["gap"].num_seeds == 3
    shutil.copytree(run, study.parent / "elsewhere" / "copied")
    assert measure_runs([study.parent / "elsewhere" / "copied"]) == {}
    (run / "predictions.npz").write_bytes(b"cut")
    assert measure_runs([run]) == {}
    (run / "predictions.npz").unlink()
    assert measure_runs([run]) == {}


def test_a_table_of_an_older_version_without_these_columns_is_read_and_compared(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    study = write_study("old", make_record("gnn", GAP), make_record("mlp", GAP))
    tabulate(study, QUIET)
    older = study.parent / "table.csv"
    pd.read_csv(study / "table.csv", dtype=str, keep_default_na=False).drop(columns=COLUMNS).to_csv(older, index=False)
    compared = diff(read_side(str(older)), read_side(str(study / "table.csv")), 0.0)
    assert {row.verdict.word for row in compared.rows} == {"identical"}


def test_many_rows_are_left_to_the_csv_and_many_shares_to_the_table() -> None:
    one = calibrate(_one_more_seed(np.random.default_rng(0), 3, 200))
    (sentence,) = tell_coverage({f"m{number}": {"gap": one} for number in range(12)})
    assert sentence.count(f"{one.coverage * 100:.0f} % for m") == 12
    (sentence,) = tell_coverage({f"m{number}": {"gap": one} for number in range(13)})
    assert "see table.md" in sentence
    row = {"target": "gap", "train_size": 1000, "model": "gnn", "variant": "", "num_seeds": 3, "mae_mean": 0.3}
    row |= {"unit": "eV", "fault": "", **dict.fromkeys(COLUMNS, 0.25), "ence": None}
    assert any(isinstance(shape, Table) for shape in ensembles(pd.DataFrame([row] * 60)))
    assert "61 rows were measured: see table.csv" in markdown.write(ensembles(pd.DataFrame([row] * 61)))
