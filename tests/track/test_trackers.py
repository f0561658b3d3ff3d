"""Runs in trackers: one for each, however it was trained or sent, with the numbers of its own files."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ibbench.record.folder import read_records
from tests.forked import Forked, run_command
from tests.track.read import Kept, read_mlflow, read_tensorboard, read_wandb

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "experiment=tiny", "trainer.compile=false"]
TWO = [*TINY, "model=mlp,gnn", "seeds=[0,1]"]
NOWHERE = "http://127.0.0.1:9"  # where no server is


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture(scope="module")
def study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Train two runs that TensorBoard shows."""
    folder = tmp_path_factory.mktemp("tracked")
    trained = run_command([*TWO, "log=tensorboard"], folder)
    assert (trained.returncode, trained.stderr) == (0, ""), trained
    return folder / "results" / "tiny"


def _check(study: Path, found: dict[str, list[Kept]], group: str = "tiny", precision: float = 1e-12) -> None:
    """Check that there is one run for each of a study, with the numbers of its own files."""
    records = {record.run: record for record in read_records(study)}
    assert {name: len(runs) for name, runs in found.items()} == dict.fromkeys(records, 1)
    for name, (kept,) in found.items():
        history = pd.read_csv(study / "runs" / name / "history.csv")
        assert kept.group == group
        for (target, seed), rows in history.groupby(["target", "seed"]):
            for curve in ("validation_mae", "train_loss", "learning_rate"):
                steps, values = zip(*kept.curves[f"{target}/seed {seed}/{curve}"], strict=True)
                assert list(steps) == rows["step"].tolist() == sorted(steps)
                assert list(values) == pytest.approx(rows[curve].tolist(), rel=precision)
        for entry in records[name].replicas:
            told = kept.summary[f"{entry.target}/seed {entry.seed}/test_mae"]
            assert told == pytest.approx(entry.test.mae, rel=precision)
        (mean,) = [one for one in records[name].baselines if one.name == "mean"]
        of_seeds = [entry.test.mae for entry in mean.replicas]
        assert kept.summary["baseline/mean/gap/test_mae"] == pytest.approx(sum(of_seeds) / len(of_seeds), rel=1e-6)
        assert float(kept.parameters["optimizer.lr"]) == records[name].config["optimizer"]["lr"]
        assert kept.parameters["model.name"] == name.partition("-")[0]


def test_a_training_is_in_tensorboard_and_an_export_is_the_same(ibbench: Command, study: Path, tmp_path: Path) -> None:
    live = read_tensorboard(study / "tensorboard")
    _check(study, live, group="", precision=1e-6)  # it keeps 32 bits of a number
    assert {kept.status for (kept,) in live.values()} == {"True"}
    for _ in range(2):
        done = ibbench("export", str(study), "--to", "tensorboard", "--output", "events")
        assert (done.returncode, "tensorboard: 2 runs in events" in done.stdout) == (0, True), done
        assert read_tensorboard(tmp_path / "events") == live


@pytest.mark.slow
def test_runs_of_one_command_are_as_many_in_mlflow_and_wandb_and_are_sent_once(
    ibbench: Command, study: Path, tmp_path: Path
) -> None:
    done = ibbench(*TWO, "log=[mlflow,wandb]")
    assert (done.returncode, "does not get" in done.stdout) == (0, False), done
    own = tmp_path / "results" / "tiny"
    mlflow, wandb = read_mlflow(tmp_path / "mlflow.db"), read_wandb(own / "wandb")
    _check(own, mlflow)
    _check(own, wandb)
    assert {kept.status for (kept,) in mlflow.values()} == {"FINISHED"}
    assert {kept.parameters["unit.gap"] for found in (mlflow, wandb) for (kept,) in found.values()} == {"eV"}
    assert not (own / "tensorboard").exists()
    for name in ("mlflow", "wandb"):  # what is there already, and anew elsewhere
        assert ibbench("export", str(own), "--to", name).returncode == 0
    assert read_mlflow(tmp_path / "mlflow.db") == mlflow
    _check(own, read_wandb(own / "wandb"))
    assert ibbench("export", str(study), "--to", "mlflow", "--output", "other.db").returncode == 0
    assert ibbench("export", str(study), "--to", "wandb", "--output", "other").returncode == 0
    _check(study, read_wandb(tmp_path / "other" / "wandb"))
    with sqlite3.connect(tmp_path / "other.db") as connection:  # as after another training of the same runs
        connection.execute("update metrics set value = value + 1 where key like '%validation_mae'")
    connection.close()
    assert ibbench("export", str(study), "--to", "mlflow", "--output", "other.db").returncode == 0
    _check(study, read_mlflow(tmp_path / "other.db"))


@pytest.mark.slow
def test_an_interrupted_training_goes_on_as_the_same_run(tmp_path: Path, ibbench: Command) -> None:
    words = [*TINY, "model=mlp", "seeds=[0,1]", "trainer.checkpoint_seconds=0", "log=[tensorboard,mlflow,wandb]"]
    words += ["trainer.replicas_per_pack=1", "trainer.epochs=60", "workers=1"]
    (tmp_path / "output").mkdir()
    command = Forked(words, tmp_path, tmp_path / "output")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/tiny/runs/*/checkpoint-1*")):  # in the middle of the second replica
        assert command.process.is_alive(), command.printed()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    command.process.terminate()
    assert command.end().returncode == 130
    study = tmp_path / "results" / "tiny"
    deadline = time.monotonic() + 60
    while [kept.status for (kept,) in _mlflow(tmp_path).values()] != ["KILLED"]:  # it has its own time to end
        assert time.monotonic() < deadline
        time.sleep(0.2)
    ((so_far,),) = _mlflow(tmp_path).values()
    assert len(so_far.curves["gap/seed 0/validation_mae"]) == 60
    assert 0 < len(so_far.curves["gap/seed 1/validation_mae"]) < 60
    done = ibbench(*words)
    assert (done.returncode, "resuming" in done.stdout, "does not get" in done.stdout) == (0, True, False), done
    _check(study, read_tensorboard(study / "tensorboard"), group="", precision=1e-6)
    _check(study, read_mlflow(tmp_path / "mlflow.db"))
    _check(study, read_wandb(study / "wandb"))


def _mlflow(folder: Path) -> dict[str, list[Kept]]:
    return read_mlflow(folder / "mlflow.db") if (folder / "mlflow.db").exists() else {}


@pytest.mark.slow
def test_a_run_that_several_processes_train_is_one_run(ibbench: Command, tmp_path: Path) -> None:
    words = ["model=mlp", "seeds=[0,1,2,3]", "trainer.replicas_per_pack=1", "workers=2", "log=tensorboard"]
    assert ibbench(*TINY, *words).returncode == 0
    study = tmp_path / "results" / "tiny"
    _check(study, read_tensorboard(study / "tensorboard"), group="", precision=1e-6)


@pytest.mark.slow
def test_a_tracker_that_cannot_write_ends_no_training_and_an_export_repairs_it(
    ibbench: Command, tmp_path: Path
) -> None:
    study = tmp_path / "results" / "tiny"
    study.mkdir(parents=True)
    (study / "tensorboard").write_text("in the way\n")
    done = ibbench(*TWO, "log=[tensorboard]")
    assert done.returncode == 0, done
    assert done.stdout.count("tensorboard does not get everything: ") == 1
    assert "`ibbench export results/tiny --to tensorboard` sends what is missing" in done.stdout
    failed = ibbench("export", "results/tiny", "--to", "tensorboard")
    assert (failed.returncode, "(and 1 more) not sent: " in failed.stdout) == (1, True), failed
    (study / "tensorboard").unlink()
    assert ibbench("export", "results/tiny", "--to", "tensorboard").returncode == 0
    _check(study, read_tensorboard(study / "tensorboard"), group="", precision=1e-6)


@pytest.mark.slow
def test_servers_that_are_down_end_no_training(
    ibbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    done = ibbench(*TWO, "log=[mlflow,wandb]")
    assert done.returncode == 0, done
    for name in ("mlflow", "wandb"):
        assert done.stdout.count(f"{name} does not get everything: ") == 1, done.stdout
    monkeypatch.setenv("WANDB_MODE", "offline")
    study = tmp_path / "results" / "tiny"
    assert ibbench("export", "results/tiny", "--to", "wandb").returncode == 0
    _check(study, read_wandb(study / "wandb"))


def test_a_tracker_that_is_not_installed_is_refused_before_anything_starts(study: Path, tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['mlflow'] = None; from ibbench.cli import main; main()"
    for words in ([*TWO, "log=[tensorboard,mlflow]"], ["export", str(study), "--to", "mlflow"]):
        refused = subprocess.run(
            [sys.executable, "-c", blocked, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 2
        assert refused.stderr == (
            "ibbench: `mlflow`, which is to show the runs, is not installed: expected ibbench[mlflow], from: "
            "pip install 'ibbench[mlflow]'\n"
        )
    assert not list(tmp_path.rglob("record.json"))


def test_bad_input_is_one_line_and_writes_nothing(ibbench: Command, study: Path, tmp_path: Path) -> None:
    without = tmp_path / "without"
    shutil.copytree(study, without)
    for path in without.glob("runs/*/history.csv"):
        path.unlink()
    (tmp_path / "file").write_text("mine\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    tracked = ["--to", "tensorboard"]
    cases = (
        ([*TWO, "log=[tensorbord]"], "did you mean `tensorboard`?"),
        ([*TWO, "log=[mlflow,mlflow]"], "names the same entry twice"),
        ([*TWO, "log=[mlflow],[wandb]"], "all runs of a command have the same trackers"),
        (["export", "none", *tracked], "none holds no records"),
        (["export", "without", *tracked], "without has no history.csv of any run to send. `ibbench train "),
        (["export", str(study), "--to", "aim"], "--to `aim` is not possible"),
        (["export", str(study), *tracked, "--output", "file"], "`--output file` is not possible: expected a folder"),
        (["export", str(study), *tracked, "--to", "wandb", "--output", "out"], "expected one --to"),
        (["export", str(study), "--to", "mlflow", "--output", "no/x.db"], "expected a file for a data base"),
    )
    for arguments, message in cases:
        refused = ibbench(*arguments)
        assert (refused.returncode, message in refused.stderr) == (2, True), (arguments, refused)
        assert (refused.stderr.count("\n"), refused.stdout) == (1, "")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_damaged_history_costs_its_own_run(ibbench: Command, study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "tiny")
    (path,) = (tmp_path / "tiny").glob("runs/mlp-*/history.csv")
    path.write_text("step,epoch\n1,")
    done = ibbench("export", "tiny", "--to", "tensorboard", "--output", "events")
    assert done.returncode == 1
    assert f"tensorboard: {path.parent.name} not sent: tiny/runs/{path.parent.name}/history.csv is not readable" in (
        done.stdout
    )
    assert [name.partition("-")[0] for name in read_tensorboard(tmp_path / "events")] == ["gnn"]
