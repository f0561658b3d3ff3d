"""Several runs at a time on one machine: a worker that is killed loses what it was at, and nothing else."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from ibbench.record.folder import read_records
from ibbench.record.lease import describe_owner
from tests.forked import started

FEW = ["seeds=[0]", "data.validation_size=100", "data.test_size=200", "budget.value=8000", "trainer.compile=false"]
STUDY = ["train", "model=mlp,deep_sets", "data.train_size=100,1600", *FEW, "trainer.epochs=10"]
ON_TWO = {
    "processes": ["+cluster=processes", "hydra.launcher.n_jobs=2"],
    "ray": ["+cluster=ray", "hydra.launcher.ray.init.num_cpus=2"],
}


def _ibbench(arguments: list[str]) -> list[str]:
    """Return the command; a fork of the tests' server would wait for the idle workers at its end, for minutes."""
    return [sys.executable, "-m", "ibbench", *arguments]


def _kill_a_worker(command: subprocess.Popen[str], folder: Path) -> None:
    """Kill the process that trains a run that has saved a state, when another is done."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert command.poll() is None
        saved_runs = list(folder.glob("results/quick/runs/*/checkpoint-0b.safetensors"))
        for saved in saved_runs if list(folder.glob("results/quick/runs/*/record.json")) else []:
            if owner := describe_owner(saved.parent):
                worker = int(owner.rpartition(" ")[2])
                assert worker != command.pid
                os.kill(worker, signal.SIGKILL)
                return
        time.sleep(0.02)
    raise AssertionError("no run was trained")


def _wait_for_training(folder: Path, num_workers: int) -> None:
    """Wait until so many workers are in the middle of a training, and not of the preparation for it.

    That is known by the computing time that each has had since it took its run: a busy machine takes longer.
    """
    begun: dict[int, float] = {}
    computed: dict[int, float] = {}
    deadline = time.monotonic() + 200
    while sum(computed[pid] - begun[pid] > 5 for pid in begun) < num_workers:
        assert time.monotonic() < deadline, computed
        for lock in folder.glob("results/quick/runs/*/lock"):
            if owner := describe_owner(lock.parent):
                pid = int(owner.rpartition(" ")[2])
                computed[pid] = psutil.Process(pid).cpu_times().user
                begun.setdefault(pid, computed[pid])
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["processes", "ray"])
def test_a_study_survives_the_death_of_a_worker(cluster: str, ibbench: Callable, tmp_path: Path) -> None:
    plugin = {"processes": "hydra_joblib_launcher", "ray": "hydra_ray_launcher"}[cluster]
    if not find_spec(f"hydra_plugins.{plugin}"):
        pytest.skip(f"{plugin} is not installed: pip install 'ibbench[{'ray' if cluster == 'ray' else 'cluster'}]'")
    command = _ibbench([*STUDY, "trainer.checkpoint_seconds=0.1", *ON_TWO[cluster]])
    with started(command, cwd=tmp_path, stderr=subprocess.STDOUT) as first:
        _kill_a_worker(first, tmp_path)
        printed, _ = first.communicate(timeout=200)
    if cluster == "processes":  # Ray starts the task again by itself
        assert first.returncode == 1, printed
        assert "Traceback" not in printed
        assert "was killed" in printed
        assert "Not finished: " in printed
        unfinished = printed.rpartition("Not finished: ")[2].partition(". ")[0].split(", ")
        assert 1 <= len(unfinished) <= 3
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    if cluster == "ray":
        subprocess.run([str(Path(sys.executable).with_name("ray")), "stop", "--force"], capture_output=True, check=True)
    assert again.returncode == 0, again
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert ibbench(*STUDY, cwd=undisturbed).returncode == 0
    one, other = (
        {record.run: record.replicas for record in read_records(folder / "results" / "quick")}
        for folder in (tmp_path, undisturbed)
    )
    assert len(one) == 4
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_save_their_states_when_the_command_is_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="ibbench[cluster] is not installed")
    long = ["trainer.epochs=100000", "trainer.checkpoint_seconds=3600"]
    with started(_ibbench([*STUDY, *long, *ON_TWO["processes"]]), cwd=tmp_path, stderr=subprocess.STDOUT) as command:
        _wait_for_training(tmp_path, 2)
        command.send_signal(number)
        printed, _ = command.communicate(timeout=60)
    assert (command.returncode, "Interrupted" in printed, "Traceback" in printed) == (130, True, False), printed
    folders = list(tmp_path.glob("results/quick/runs/*-*/"))
    assert [[path.name for path in folder.iterdir()] for folder in folders] == [["checkpoint-0a.safetensors"]] * 2


@pytest.mark.slow
def test_the_cores_are_divided_between_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="ibbench[cluster] is not installed")
    threads: set[str] = set()
    with started(_ibbench([*STUDY, *ON_TWO["processes"]]), cwd=tmp_path, stderr=subprocess.STDOUT) as command:
        while command.poll() is None and not threads:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(command.pid).children(recursive=True):
                    threads |= {child.environ().get("OMP_NUM_THREADS", "")} - {""}
            time.sleep(0.05)
        command.terminate()
        printed, _ = command.communicate(timeout=60)
    assert threads == {str(max(1, (os.cpu_count() or 1) // 2))}
    assert command.returncode == 130
    assert "Interrupted" in printed
