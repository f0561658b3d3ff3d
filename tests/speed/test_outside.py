"""The whole command of another package, where it is installed, beside `ibbench train` to the same error."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ibbench.report import markdown
from ibbench.report.speed import outside_page
from ibbench.speed.columns import OUTSIDE_COLUMNS

Command = Callable[..., subprocess.CompletedProcess[str]]
FEW = ["data.train_size=200", "data.validation_size=100", "data.test_size=200", "trainer.epochs=3"]


def _table(*ours: tuple[int, float, float, bool]) -> pd.DataFrame:
    rows = [("chemprop", "", "gap", "eV", 1000, 50, 0.2, 60.0, None)]
    rows += [("ours", "gnn", "gap", "eV", 1000, *figures) for figures in ours]
    return pd.DataFrame(rows, columns=list(OUTSIDE_COLUMNS))


def test_a_page_tells_the_times_to_the_same_error() -> None:
    text = markdown.write(outside_page("speed", _table((1, 0.5, 5.0, False), (2, 0.19, 6.0, True)), "a CPU"))
    assert "is as good after 2 epochs: 6.0 s for 60.0 s of chemprop, 10.0 times as fast" in text
    text = markdown.write(outside_page("speed", _table((1, 0.5, 5.0, False)), "a CPU"))
    assert "did not reach the error of chemprop within 1 epochs" in text


def test_a_package_that_is_not_there_is_told_in_a_line(
    ibbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = ibbench("speed", "--peer", "chemprop", *FEW)
    assert (run.returncode, run.stdout) == (2, "")
    assert "`--peer chemprop` runs the command `chemprop`, which is not on the PATH: `pip install" in run.stderr
    assert not (tmp_path / "results").exists()


def test_classes_and_altered_labels_are_no_comparison(
    ibbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "chemprop"
    stand_in.write_text("#!/bin/sh\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for words in (["data.labels=shuffled"], ["data.label_noise=0.5"]):
        run = ibbench("speed", "--peer", "chemprop", "model=mlp", "targets=[gap]", "seeds=[0]", *FEW, *words)
        assert run.returncode == 2
        assert "`--peer` compares mean absolute errors on true labels" in run.stderr


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chemprop"), reason="the command chemprop is not installed")
def test_chemprop_trains_on_the_same_molecules(ibbench: Command, tmp_path: Path) -> None:
    run = ibbench("speed", "--peer", "chemprop", "model=deep_sets", "trainer.compile=false", *FEW)
    assert run.returncode == 0, run
    table = pd.read_csv(tmp_path / "results" / "speed" / "chemprop.csv")
    assert table.columns.tolist() == list(OUTSIDE_COLUMNS)
    assert table["who"].tolist()[:2] == ["chemprop", "ours"]
    assert table["test_mae"].between(0.1, 20).all()
