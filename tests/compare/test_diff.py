import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.diff import show_diff
from ibbench.commands.table import tabulate
from ibbench.compare.diff import Diff, diff
from ibbench.compare.side import read_side
from ibbench.errors import InputError
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
GAP = {("gap", 0): 0.30, ("gap", 1): 0.31, ("gap", 2): 0.29}
BETTER = {("gap", 0): 0.20, ("gap", 1): 0.21, ("gap", 2): 0.195}


@pytest.fixture
def studies(make_record: MakeRecord, write_study: WriteStudy) -> tuple[Path, Path]:
    """Two studies: the GNN got better, Deep Sets did not change."""
    old = write_study("old", make_record("gnn", GAP), make_record("deep_sets", GAP))
    new = write_study("new", make_record("gnn", BETTER, lr=0.002), make_record("deep_sets", GAP, torch="3"))
    for study in (old, new):
        tabulate(study, QUIET)
    return old, new


def _words(compared: Diff) -> dict[str, str]:
    return {row.place.model: row.verdict.word for row in compared.rows}


def _diff(old: object, new: object, tolerance: float = 0.02) -> Diff:
    return diff(read_side(str(old)), read_side(str(new)), tolerance)


def test_with_predictions_the_paired_statistics_decide(studies: tuple[Path, Path]) -> None:
    compared = _diff(*studies)
    assert _words(compared) == {"mean": "identical", "gnn": "better", "deep_sets": "identical"}
    gnn = next(row for row in compared.rows if row.place.model == "gnn")
    assert gnn.basis == "predictions"
    assert gnn.interval is not None
    assert gnn.interval[0] < -0.098 < gnn.interval[1] < 0
    assert "worse" in _words(_diff(*studies[::-1])).values()


def test_what_else_has_changed_is_said(studies: tuple[Path, Path]) -> None:
    assert "Config: optimizer.lr 0.001 → 0.002 (gnn)." in _diff(*studies).changes
    assert "Version of torch: 2 → 2 or 3." in _diff(*studies).changes
    assert _diff(studies[0], studies[0]).changes == []


def test_tables_without_runs_count_seeds_and_molecules(studies: tuple[Path, Path]) -> None:
    (with_runs,) = (row for row in _diff(*studies).rows if row.place.model == "gnn")
    shutil.rmtree(studies[1] / "runs")
    (studies[1] / "evidence.zip").unlink()
    for new in (studies[1], studies[1] / "table.csv"):
        compared = _diff(studies[0], new)
        assert _words(compared) == {"mean": "identical", "gnn": "better", "deep_sets": "identical"}
        assert {row.basis for row in compared.rows} == {"variances"}
        (gnn,) = (row for row in compared.rows if row.place.model == "gnn")
        assert gnn.new is not None
        assert gnn.new.mae == pytest.approx(sum(BETTER.values()) / 3, rel=1e-12)  # not its four digits
        assert gnn.interval is not None
        assert with_runs.interval is not None
        # The same molecules are hard for both, which a table does not tell: the interval is wider.
        assert gnn.interval[0] < with_runs.interval[0] < with_runs.interval[1] < gnn.interval[1] < 0
        assert any(
            "gnn: the errors of each test molecule are not known on both sides" in text for text in compared.cautions
        )
        assert "Config: optimizer.lr 0.001 → 0.002 (gnn)." in compared.changes
    (studies[1] / "study.json").unlink()
    assert any("are unknown: a table without its study.json" in change for change in _diff(*studies).changes)


def test_tables_of_older_versions_are_compared_by_their_deviations(studies: tuple[Path, Path], tmp_path: Path) -> None:
    old = tmp_path / "table.csv"
    frame = pd.read_csv(studies[0] / "table.csv", dtype=str)
    later = ["train_share", "num_test_molecules", "molecule_variance", "seeds", "seed_maes"]
    frame.drop(columns=later).to_csv(old, index=False)
    compared = _diff(old, studies[1])
    assert _words(compared) == {"mean": "identical", "gnn": "better", "deep_sets": "identical"}
    assert {row.basis for row in compared.rows} == {"deviations"}
    assert any("gnn: test molecules are not counted" in text for text in compared.cautions)
    committed = Path(__file__).parent / "old_table"
    assert {row.verdict.word for row in _diff(committed, committed).rows} == {"identical"}


def test_without_deviations_there_is_the_tolerance(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", {("gap", 0): 0.300}), predictions=False)
    new = write_study("new", make_record("gnn", {("gap", 0): 0.303}), predictions=False)
    assert _words(_diff(old, new, tolerance=0.02))["gnn"] == "within tolerance"
    compared = _diff(old, new, tolerance=0.005)
    assert _words(compared)["gnn"] == "higher"
    assert compared.fails("regression")
    assert not _diff(new, old, tolerance=0.005).fails("regression")


def test_other_seeds_are_said_and_compared_unpaired(make_record: MakeRecord, write_study: WriteStudy) -> None:
    changed = {("gap", 0): 0.30, ("gap", 1): 0.31, ("gap", 9): 0.9}
    old, new = write_study("old", make_record("gnn", GAP)), write_study("new", make_record("gnn", changed))
    compared = _diff(old, new)
    gnn = next(row for row in compared.rows if row.place.model == "gnn")
    assert (gnn.basis, gnn.verdict.word) == ("predictions", "not distinguishable")
    assert gnn.interval is not None
    assert gnn.interval[0] < sum(changed.values()) / 3 - 0.3 < gnn.interval[1]
    assert "Seeds: 0, 1, 2 → 0, 1, 9 (mean, gnn). Such rows are compared unpaired." in compared.changes


def test_a_gate_that_is_safe_fails_where_a_relevant_regression_cannot_be_excluded(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    # Two seeds and a fifth more error: too little for a verdict, and no reason to let it pass.
    old = write_study("old", make_record("gnn", {("gap", 0): 0.30, ("gap", 1): 0.31}))
    new = write_study("new", make_record("gnn", {("gap", 0): 0.35, ("gap", 1): 0.39}))
    compared = _diff(old, new)
    gnn = next(row for row in compared.rows if row.place.model == "gnn")
    assert gnn.verdict.word == "not distinguishable"
    assert "% higher" in gnn.verdict.note
    assert not compared.fails("regression")
    assert compared.fails("unproven")
    assert not _diff(old, old).fails("unproven")
    better = write_study("better", make_record("gnn", {("gap", 0): 0.20, ("gap", 1): 0.2101}))
    assert not _diff(old, better).fails("unproven")


def test_one_seed_is_no_verdict_but_can_be_a_regression(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", {("gap", 0): 0.3}))
    new = write_study("new", make_record("gnn", {("gap", 0): 0.5}))
    compared = _diff(old, new)
    words = next(str(row.verdict) for row in compared.rows if row.place.model == "gnn")
    assert words == "higher (by more than 2.00%; one seed: seed variance unknown)"
    assert compared.fails("regression")


def test_what_cannot_be_compared_is_no_success(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", GAP))
    new = write_study("new", make_record("gnn", BETTER, split="other"))
    with pytest.raises(InputError, match=r"nothing in .* can be compared: Changed: split abc → other"):
        show_diff(str(old), str(new), QUIET, "md", "regression", 0.02)
    assert not show_diff(str(old), str(new), QUIET, "md", "never", 0.02)


def test_a_study_of_two_units_is_the_same_as_itself(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("units", make_record("gnn", GAP), make_record("mlp", BETTER, unit="kcal"))
    assert [row.verdict.word for row in _diff(study, study).rows] == ["identical"] * 4


def test_rows_of_one_side_are_said(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", GAP), make_record("mlp", GAP))
    new = write_study("new", make_record("gnn", GAP), make_record("deep_sets", GAP))
    compared = _diff(old, new)
    assert _words(compared) == {"mean": "identical", "gnn": "identical", "mlp": "only in A", "deep_sets": "only in B"}
    assert compared.fails("change")
    assert not compared.fails("regression")


def test_a_variant_is_found_again_under_its_new_name(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", GAP))
    new = write_study("new", make_record("gnn", GAP), make_record("gnn", BETTER, lr=0.1))
    words = {f"{row.place.model} {row.place.variant}".strip(): row.verdict.word for row in _diff(old, new).rows}
    assert words == {"mean": "identical", "gnn optimizer.lr=0.001": "identical", "gnn optimizer.lr=0.1": "only in B"}
    other = write_study("other", make_record("gnn", GAP), make_record("gnn", BETTER, lr=0.2))
    words = {row.place.variant: row.verdict.word for row in _diff(other, new).rows if row.place.model == "gnn"}
    assert words == {
        "optimizer.lr=0.001": "identical", "optimizer.lr=0.1": "only in B", "optimizer.lr=0.2": "only in A",
    }  # fmt: skip


@pytest.mark.parametrize("field", ["split", "source", "hydrogens"])
def test_other_tasks_are_said_and_not_compared(make_record: MakeRecord, write_study: WriteStudy, field: str) -> None:
    old = write_study("old", make_record("gnn", GAP, **{field: "abc"}))
    new = write_study("new", make_record("gnn", BETTER, **{field: "xyz"}))
    compared = _diff(old, new)
    assert set(_words(compared).values()) == {"not comparable"}
    assert any(change.startswith(f"Changed: {field} abc → xyz.") for change in compared.changes)
    assert compared.fails("change")


def test_units_are_never_mixed(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", GAP))
    new = write_study("new", make_record("gnn", GAP, unit="meV"))
    with pytest.raises(InputError, match=r"gap at 1,000 is in eV in .*old and in meV in .*new"):
        _diff(old, new)


@pytest.mark.parametrize("style", ["terminal", "md", "json"])
def test_every_format_shows_the_change(
    studies: tuple[Path, Path], style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = map(str, studies)
    assert not show_diff(old, new, Console(width=80), style, "regression", 0.02)
    assert show_diff(old, new, Console(width=80), style, "change", 0.02)
    output = capsys.readouterr().out
    assert "-0.0983" in output
    assert "better" in output
    assert "optimizer.lr 0.001 → 0.002" in output
    if style == "json":
        content = json.loads(output[output.index("\n}\n") + 3 :])
        assert content["fails"]
        assert {row["model"]: row["verdict"] for row in content["rows"]}["gnn"] == "better"


@pytest.fixture
def repository(studies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git repository around the two studies, with the tables of the old one committed under the name `new`."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    old, new = studies
    later = tmp_path / "later"
    new.rename(later)
    (tmp_path / "results").mkdir()
    old.rename(tmp_path / "results" / "new")
    git("init", "--quiet", "--initial-branch=main")
    git("add", "results/new/table.csv", "results/new/study.json")
    git("commit", "--quiet", "-m", "old")
    shutil.rmtree(tmp_path / "results" / "new")
    later.rename(tmp_path / "results" / "new")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("repository")
def test_a_revision_is_a_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for old in ("main:results/new", "HEAD:results/new/", "main:results/new/table.csv"):
        compared = _diff(old, "results/new")
        assert _words(compared)["gnn"] == "better"
        assert "Config: optimizer.lr 0.001 → 0.002 (gnn)." in compared.changes
    monkeypatch.chdir(tmp_path / "results")  # from a folder inside, both ways of naming it
    assert _words(_diff("main:new", "new"))["gnn"] == _words(_diff("main:results/new", "new"))["gnn"] == "better"


@pytest.mark.usefixtures("repository")
def test_sides_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for side, message in (
        ("nowhere", r"there is no `nowhere`: expected a study folder, a table.csv or REVISION:path"),
        ("empty", "empty holds no records"),
        ("nobranch:results/new", "`nobranch` is not a revision here"),
        ("main:results/other", "revision main has no results/other/table.csv"),
        (":results/new", "there is no"),
    ):
        with pytest.raises(InputError, match=message):
            _diff(side, "results/new")


def test_arguments_that_are_not_possible_are_named(studies: tuple[Path, Path]) -> None:
    old, new = map(str, studies)
    for style, fail_on, tolerance, message in (
        ("markdown", "never", 0.02, "--format `markdown`"),
        ("md", "regresion", 0.02, "did you mean `regression`"),
        ("md", "never", -1.0, "--tolerance"),
        ("md", "never", float("nan"), "--tolerance"),
    ):
        with pytest.raises(InputError, match=message):
            show_diff(old, new, QUIET, style, fail_on, tolerance)


def test_sides_without_a_common_row_are_refused(make_record: MakeRecord, write_study: WriteStudy) -> None:
    old = write_study("old", make_record("gnn", GAP))
    new = write_study("new", make_record("gnn", {("mu", 0): 1.0}))
    with pytest.raises(InputError, match="no row in common"):
        _diff(old, new)
