"""Flags: their words are listed, a wrong one is one line, and `--quiet` leaves the results."""

import re
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import pytest

from ibbench.options.words import Axis, DiffFormat, FailOn, TableFormat

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ("experiment=tiny", "model=mlp,gnn", "seeds=0,1")
FLAGS = [
    ("table", "--format", TableFormat),
    ("diff", "--format", DiffFormat),
    ("diff", "--fail-on", FailOn),
    ("worth", "--by", Axis),
    ("plot", "--by", Axis),
]


@pytest.mark.parametrize(("command", "flag", "words"), FLAGS)
def test_help_lists_the_words_of_a_flag(command: str, flag: str, words: type[StrEnum], ibbench: Command) -> None:
    printed = " ".join(ibbench(command, "--help").stdout.split())
    listed = "|".join(words)
    assert f"{flag} <{listed}>" in printed or f"{flag} [{listed}]" in printed  # as versions of Typer have it


@pytest.mark.parametrize(("command", "flag", "words"), FLAGS)
def test_a_wrong_word_is_one_line(command: str, flag: str, words: type[StrEnum], ibbench: Command) -> None:
    near = list(words)[-1]
    sides = ("a", "b") if command == "diff" else ("a",)
    for wrong, hint in ((f"{near}x", f"did you mean `{near}`?"), ("42", f"expected one of: {', '.join(words)}")):
        run = ibbench(command, *sides, flag, wrong)
        assert run.returncode == 2
        assert run.stderr == f"ibbench: {flag} `{wrong}` is not possible: {hint}\n"
        assert run.stdout == ""


def test_a_number_that_is_none_is_one_line(ibbench: Command) -> None:
    run = ibbench("worth", "a", "--at", "many")
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert run.stderr.startswith("ibbench: --at is not possible: ")


def test_the_help_of_train_tells_its_flags_and_quotes_brackets(ibbench: Command) -> None:
    printed = ibbench("train", "--help").stdout
    for flag in ("--dry-run", "--detach", "--quiet"):
        assert re.search(rf"^\s*(-\w, )?{flag}  +\w", printed, re.MULTILINE)
    assert "stands in quotes: 'targets=[gap,mu]'" in printed
    assert printed.index("--dry-run") < printed.index("== Groups") < printed.index("data:")


def test_a_quiet_training_prints_its_table_alone(ibbench: Command, tmp_path: Path) -> None:
    loud = ibbench("train", *TINY, "name=loud")
    quiet = ibbench("train", "-q", *TINY, "name=quiet", "workers=1")
    assert loud.returncode == quiet.returncode == 0
    assert loud.stdout.startswith("Study results/loud: 2 runs")
    assert "trains as one pack" in loud.stderr
    assert quiet.stderr == ""
    assert "quiet: gap in eV" in quiet.stdout.splitlines()[0]
    assert not re.search(r"step \d|to do|On \d cores|Study results", quiet.stdout)
    assert (tmp_path / "results" / "quiet" / "table.csv").exists()
    again = ibbench("train", *TINY, "name=quiet", "--quiet")
    assert "done before" not in again.stdout
    assert "test MAE" in again.stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_quiet_training_still_says_what_went_wrong(workers: str, ibbench: Command) -> None:
    run = ibbench("train", "--quiet", *TINY, "optimizer.lr=1e30", "optimizer=sgd", f"workers={workers}")
    assert run.returncode == 1
    assert re.search(r"^mlp-\w+: failed: ", run.stdout, re.MULTILINE)
    assert "Not finished: " in run.stdout
    assert not re.search(r"step \d+/", run.stdout)


def test_nothing_is_asked_for_that_quiet_leaves_out(ibbench: Command) -> None:
    run = ibbench("train", "--quiet", "--dry-run")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "ibbench: `--dry-run` prints what `--quiet` leaves out: expected one of them\n"
