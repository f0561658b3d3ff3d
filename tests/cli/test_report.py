"""`ibbench report`: a page where it is asked for, in the place of nothing that is not its own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compare.conftest import MakeRecord, WriteStudy, make_record, write_study
from tests.report.page_parts import Page

__all__ = ["make_record", "write_study"]
Command = Callable[..., subprocess.CompletedProcess[str]]
MAES = {("gap", 0): 0.5, ("gap", 1): 0.6}


@pytest.fixture
def study(write_study: WriteStudy, make_record: MakeRecord) -> Path:
    return write_study(
        "mine", make_record("mlp", MAES), make_record("gnn", {who: mae / 2 for who, mae in MAES.items()})
    )


def test_a_page_is_written_into_the_study_and_replaced(ibbench: Command, study: Path) -> None:
    done = ibbench("report", "mine")
    assert done.returncode == 0, done.stderr
    assert "Written to mine/report.html" in done.stdout
    first = (study / "report.html").read_text()
    assert "mine" in Page(first).texts
    assert ibbench("report", "mine").returncode == 0
    assert (study / "report.html").read_text() == first


def test_two_studies_give_a_page_of_what_differs(
    ibbench: Command, study: Path, write_study: WriteStudy, make_record: MakeRecord
) -> None:
    write_study("new", make_record("mlp", {who: 3 * mae for who, mae in MAES.items()}, lr=0.01, torch="3"))
    done = ibbench("report", "mine", "new", "--output", "both.html")
    assert done.returncode == 0, done.stderr
    page = Page((study.parent / "both.html").read_text())
    assert "mine → new" in page.texts
    assert any("optimizer.lr 0.001 → 0.01" in text for text in page.texts)
    assert any(row[0][0] == "torch" and row[1][0] == "2" and row[2][0] == "3" for row in page.rows if len(row) == 3)
    assert ibbench("report", "mine", "new").returncode == 0
    assert (study.parent / "new" / "diff.html").exists()


def test_a_study_that_lacks_runs_says_so_and_exits_with_1(
    ibbench: Command, study: Path, write_study: WriteStudy, make_record: MakeRecord
) -> None:
    write_study("mine", make_record("mlp", MAES, train_size=500, status="failed", baselines=False))
    done = ibbench("report", "mine")
    assert done.returncode == 1
    told = " ".join(Page((study / "report.html").read_text()).texts)
    assert "Incomplete: 1 of 3 runs is missing (1 failed)." in told
    assert "the loss was no longer finite" in told


def test_what_is_not_ours_is_never_replaced(ibbench: Command, study: Path) -> None:
    own = study / "report.html"
    own.write_text('<html><meta name="generator" content="another"></html>')
    done = ibbench("report", "mine")
    assert done.returncode == 2
    said = "is there already, and `ibbench report` has not written it: expected another --output"
    assert done.stderr == f"ibbench: mine/report.html {said}\n"
    assert "another" in own.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is not a study: expected its folder, such as results/quick"),
        (["empty"], "empty holds no records: expected a study"),
        (["failed"], "failed has no finished run to report. Incomplete: 1 of 1 run is missing (1 failed).\n"),
        (["mine", "nowhere"], "`nowhere` is no folder that the page could lie in: expected --output FILE"),
        (["nowhere", "mine"], "there is no `nowhere`: expected a study folder"),
        (
            ["mine", "--output", "none/page.html"],
            "`--output none/page.html` is not possible: expected a file in a folder",
        ),
        (["mine", "--output", "mine"], "`--output mine` is not possible: expected a file in a folder"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    ibbench: Command, study: Path, write_study: WriteStudy, make_record: MakeRecord, words: list[str], message: str
) -> None:
    (study.parent / "empty").mkdir()
    write_study("failed", make_record("mlp", MAES, status="failed", baselines=False))
    done = ibbench("report", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(study.parent.rglob("*.html"))


@pytest.mark.slow
def test_a_trained_study_shows_its_trainings_and_its_worst_molecules(ibbench: Command, tmp_path: Path) -> None:
    trained = ibbench("train", "experiment=tiny", "model=mlp,gnn", "seeds=[0,1]", "name=t")
    assert trained.returncode == 0, trained.stderr
    study = tmp_path / "results" / "t"
    assert ibbench("report", "results/t").returncode == 0
    page = Page((study / "report.html").read_text())
    told = " ".join(page.texts)
    assert "validation error of each seed while it was trained" in told
    assert "predicts worst, by the mean of their absolute errors over 2 seeds" in told
    assert str(tmp_path) not in told  # what tells of a user's machine
    (next(study.glob("runs/mlp-*")) / "history.csv").unlink()
    (next(study.glob("runs/gnn-*")) / "history.csv").write_text("step,tar")
    assert ibbench("report", "results/t").returncode == 0
    assert "No training curves: history.csv" in (study / "report.html").read_text()
