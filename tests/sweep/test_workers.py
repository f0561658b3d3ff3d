"""Runs side by side on the cores of a machine: the digits of one after another, and nothing lost but what was hit."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ibbench.options.config import Config
from ibbench.record.folder import read_records
from ibbench.record.lease import describe_owner
from ibbench.sweep import workers
from ibbench.sweep.cores import train_here
from ibbench.sweep.sweep import Sweep
from tests.forked import run_command, started

FEW = ["data.validation_size=100", "data.test_size=200", "budget.value=8000", "trainer.compile=false"]
TWO = ["train", "model=mlp,deep_sets", "seeds=[0]", "data.train_size=100", *FEW, "trainer.epochs=3"]
IN_PACKS = [
    "train",
    "model=mlp,deep_sets",
    "seeds=[0,1,2]",
    "trainer.replicas_per_pack=1",
    "data.train_size=1600",
    *FEW,
]
IN_PACKS += ["trainer.epochs=6"]
SAVING_OFTEN = "trainer.checkpoint_seconds=0.1"


def _what_was_found(folder: Path) -> dict[str, bytes]:
    """Return the files of a study that say how large its errors are; the tables also tell seconds."""
    study = folder / "results" / "quick"
    files = {str(path.relative_to(study)): path.read_bytes() for path in study.glob("runs/*/predictions.npz")}
    replicas = {record.run: record.replicas for record in read_records(study)}
    return files | {"pairs.csv": (study / "pairs.csv").read_bytes(), "replicas": repr(replicas).encode()}


@pytest.fixture(scope="module")
def one_after_another(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("one")
    ended = run_command([*IN_PACKS, "workers=1"], folder)
    assert (ended.returncode, "1 run at a time" in ended.stdout) == (0, True), ended
    return _what_was_found(folder)


def test_two_workers_find_what_one_finds(ibbench: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for count, threads in ((1, "1"), (2, "2")):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        folder = tmp_path / str(count)
        folder.mkdir()
        ended = ibbench(*TWO, f"workers={count}", cwd=folder)
        assert ended.returncode == 0, ended
        assert ("2 runs at a time" in ended.stdout) == (count == 2)
        for record in read_records(folder / "results" / "quick"):
            assert re.search(rf"{record.run}: step (\d+)/\1 \(epoch 3\)", ended.stdout), ended
        assert all("1 threads" in record.device for record in read_records(folder / "results" / "quick"))
        found[count] = _what_was_found(folder)
    assert len(found[1]) == 4
    assert found[1] == found[2]


@pytest.mark.slow
def test_packs_of_one_run_train_side_by_side(one_after_another: dict[str, bytes], tmp_path: Path) -> None:
    alone = [word.replace("mlp,", "") for word in IN_PACKS]
    ended = run_command([*alone, "workers=3"], tmp_path)
    assert (ended.returncode, "3 packs at a time" in ended.stdout) == (0, True), ended
    assert all(f"({number} of 3): resuming after step" in ended.stdout for number in (2, 3)), ended
    predictions = {name: content for name, content in _what_was_found(tmp_path).items() if name.endswith(".npz")}
    assert len(predictions) == 1
    assert predictions.items() <= one_after_another.items()
    assert {path.name for path in tmp_path.glob("results/quick/runs/*-*/*")} == {
        "record.json",
        "domain.safetensors",
        "history.csv",
        "predictions.npz",
        "weights.safetensors",
    }


def test_where_nothing_is_to_be_done_no_worker_starts(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [*FEW, "seeds=[0]", "data.train_size=100", "trainer.epochs=1", f"results_dir={tmp_path}"]
    configs = [config(f"model={name}", *short, "workers=1") for name in ("mlp", "deep_sets")]

    def train(configs: list[Config]) -> None:
        sweep = Sweep(configs, [["model=mlp"], ["model=deep_sets"]], lambda _: True)
        sweep.plan()
        if sweep.points:  # they are not known to be done
            train_here(sweep, range(2))

    train(configs)
    started: list[int] = []

    def note(tasks: list[workers.Assignment], num_workers: int, _gpus: list[str]) -> dict[int, str]:
        started.append(num_workers)
        return dict.fromkeys(range(len(tasks)), "done")

    monkeypatch.setattr(workers, "train_side_by_side", note)
    monkeypatch.setattr(Sweep, "_recall", lambda _: False)
    train([one.model_copy(update={"workers": 2}) for one in configs])
    assert started == []
    two = [one.model_copy(update={"workers": 2, "rerun": True}) for one in configs]
    train(two)
    assert started == [2]  # it would have been noticed


def test_the_number_of_workers_is_one_per_command(ibbench: Callable) -> None:
    ended = ibbench(*TWO, "workers=1,2")
    assert (ended.returncode, "`workers` cannot be swept" in ended.stderr) == (2, True), ended
    ended = ibbench(*TWO, "workers=0")
    assert (ended.returncode, "expected `auto`, or a whole number" in ended.stderr) == (2, True), ended


def _ibbench(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "ibbench", *arguments]


def _trained_by(folder: Path) -> Iterator[tuple[Path, int]]:
    """Find the folders of runs that are trained now, with the number of the process that does."""
    for lock in folder.glob("results/quick/runs/*/lock"):
        if owner := describe_owner(lock.parent):
            yield lock.parent, int(owner.rpartition(" ")[2])


def _kill_a_worker(command: subprocess.Popen[str], folder: Path) -> str:
    """Kill a process that trains a run and has saved a state of it; return the name of the run."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        assert command.poll() is None
        for run, worker in _trained_by(folder):
            if (run / "checkpoint-0b.safetensors").exists():
                assert worker != command.pid
                os.kill(worker, signal.SIGKILL)
                return run.name
        time.sleep(0.02)
    raise AssertionError("no run was trained")


def _wait_for_states(folder: Path, count: int) -> list[int]:
    """Wait until so many runs that are trained have saved a state; return the processes that train them."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        pids = [pid for run, pid in _trained_by(folder) if (run / "checkpoint-0b.safetensors").exists()]
        if len(pids) >= count:
            return pids
        time.sleep(0.02)
    raise AssertionError("no state was saved")


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_run_alone(one_after_another: dict[str, bytes], tmp_path: Path) -> None:
    command = [*IN_PACKS, "workers=2", SAVING_OFTEN]
    with started(_ibbench(command), cwd=tmp_path, stderr=subprocess.STDOUT) as first:
        killed = _kill_a_worker(first, tmp_path)
        printed, _ = first.communicate(timeout=200)
    assert first.returncode == 1, printed
    assert "Traceback" not in printed
    assert f"{killed}: failed: its process was ended by SIGKILL" in printed
    assert f"Not finished: {killed}. " in printed
    again = run_command(command, tmp_path)
    assert (again.returncode, f"{killed} (1 of 3): resuming after" in again.stdout) == (0, True), again
    assert _what_was_found(tmp_path) == one_after_another


@pytest.mark.slow
def test_ctrl_c_leaves_states_and_no_process(one_after_another: dict[str, bytes], tmp_path: Path) -> None:
    words = [*IN_PACKS, "workers=2", SAVING_OFTEN]
    with started(_ibbench(words), cwd=tmp_path, stderr=subprocess.STDOUT, start_new_session=True) as command:
        _wait_for_states(tmp_path, 1)
        os.killpg(command.pid, signal.SIGINT)  # as a terminal does
        printed, _ = command.communicate(timeout=60)
    assert (command.returncode, "Interrupted" in printed, "Traceback" in printed) == (130, True, False), printed
    with pytest.raises(ProcessLookupError):
        os.killpg(command.pid, 0)
    assert not list(_trained_by(tmp_path))
    again = run_command(words, tmp_path)
    assert (again.returncode, "resuming after" in again.stdout) == (0, True), again
    assert _what_was_found(tmp_path) == one_after_another


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_save_and_end_with_their_command(number: signal.Signals, tmp_path: Path) -> None:
    words = [*TWO, "trainer.epochs=100000", "workers=2", SAVING_OFTEN]
    with started(_ibbench(words), cwd=tmp_path, stderr=subprocess.STDOUT) as command:
        workers_of_it = [psutil.Process(pid) for pid in _wait_for_states(tmp_path, 2)]
        command.send_signal(number)
        _, alive = psutil.wait_procs(workers_of_it, timeout=60)
        assert not alive
    assert not list(_trained_by(tmp_path))  # they have let go of their runs, as none does that is killed
