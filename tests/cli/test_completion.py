"""What a shell completes: commands, groups, options and their values, and the folders of studies."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ibbench.models import model_names
from ibbench.options.completion import complete_option
from ibbench.options.defaults import config_folder
from ibbench.record.find import find_studies

KNOWN = {"targets": ["gap", "mu"]}
RUNGS = sorted(f"{path.parent.name}/{path.stem}" for path in config_folder().glob("model/*/*.yaml"))
EXPERIMENTS = sorted(path.stem for path in config_folder().glob("experiment/*.yaml"))
ASK = """

eval "$(_IBBENCH_COMPLETE=source_bash ibbench)"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_ibbench_completion ibbench
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def _of_bash(words: list[str], folder: Path) -> list[str]:
    """Return what bash offers for the last of these words, as bash divides them."""
    program = folder / "bin" / "ibbench"
    program.parent.mkdir(exist_ok=True)
    code = "import sys; sys.argv[0] = 'ibbench'; from ibbench.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    script = ASK.format(words=" ".join(map(shlex.quote, words)))
    run = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ibbench", "ta"], ["table", "targets"]),
        (["ibbench", "train", "experiment", "=", "lear"], ["learning_curve", "learning_curve_full"]),
        (["ibbench", "train", "model=gnn", "experiment", "="], EXPERIMENTS),
        (["ibbench", "train", "--dr"], ["--dry-run"]),
        (["ibbench", "table", "--format", "l"], ["latex"]),
        (["ibbench", "table", "res"], ["results/mine"]),
        (["ibbench", "probe", "results/m"], ["results/mine"]),
        (["ibbench", "probe", "--probe", "floor,k"], ["floor,kernel"]),
        (["ibbench", "diff", "results/mine", ""], ["results/mine"]),
    ],
)
def test_bash_completes(words: list[str], offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "results" / "mine" / "runs").mkdir(parents=True)
    assert _of_bash(words, tmp_path) == offered


def test_all_choices_of_a_group_are_offered() -> None:
    assert complete_option([], "model=", KNOWN) == sorted(f"model={name}" for name in [*model_names(), *RUNGS])
    assert complete_option([], "experiment=", KNOWN) == [f"experiment={name}" for name in EXPERIMENTS]
    assert complete_option([], "+experiment=t", KNOWN) == ["+experiment=tiny"]
    assert {"data=", "optimizer=", "trainer.steps=", "data.train_size="} <= set(complete_option([], "", KNOWN))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("model=gnn,ml", ["model=gnn,mlp"]),
        ("targets=[gap,", ["targets=[gap,mu"]),
        ("data.hydro", ["data.hydrogens=", "data.hydrogens=implicit", "data.hydrogens=explicit"]),
        ("trainer.st", ["trainer.steps=", "trainer.steps=null"]),
        ("model.res", ["model.residual=", "model.residual=true", "model.residual=false"]),
        ("seeds", ["seeds=", "seeds=0,1,2"]),
        ("rung", []),
        ("nothing=", []),
    ],
)
def test_an_option_is_offered_with_its_values(typed: str, offered: list[str]) -> None:
    assert complete_option([], typed, KNOWN) == offered


def test_what_stands_before_the_equals_sign_is_not_offered_twice() -> None:
    assert complete_option(["model", "="], "gn", KNOWN) == ["gnn"]
    assert complete_option(["model", "=", "gnn"], "schedule=co", KNOWN) == ["schedule=constant", "schedule=cosine"]


def test_studies_are_found_below_what_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("results/one/runs", "results/two/runs", "results/.hidden/runs", "results/no_study", "other"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for typed in ("", "res", "results/"):
        assert find_studies(typed) == ["results/one", "results/two"]
    assert find_studies("results/t") == ["results/two"]
    assert find_studies("./results/t") == ["./results/two"]
    assert find_studies(f"{tmp_path}/results/o") == [f"{tmp_path}/results/one"]
    assert find_studies("nowhere/") == []
