"""Runs as tasks of Ray: a worker that is killed is started again, and the numbers are as they would be."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from ibbench.record.folder import read_records
from ibbench.record.lease import describe_owner
from tests.forked import started

FEW = ["seeds=[0]", "data.validation_size=100", "data.test_size=200", "budget.value=8000", "trainer.compile=false"]
STUDY = ["train", "model=mlp,deep_sets", "data.train_size=100,1600", *FEW, "trainer.epochs=10"]
RAY = ["cluster=ray", "hydra.launcher.ray.init.num_cpus=2"]


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


@pytest.mark.slow
def test_a_study_survives_the_death_of_a_worker(ibbench: Callable, tmp_path: Path) -> None:
    if not find_spec("hydra_plugins.hydra_ray_launcher"):
        pytest.skip("hydra_ray_launcher is not installed: pip install 'ibbench[ray]'")
    # A fork of the tests' server would wait for the idle workers at its end, for minutes.
    command = [sys.executable, "-m", "ibbench", *STUDY, "trainer.checkpoint_seconds=0.1", *RAY]
    with started(command, cwd=tmp_path, stderr=subprocess.STDOUT) as first:
        _kill_a_worker(first, tmp_path)
        first.communicate(timeout=200)  # Ray starts the task again by itself
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
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
