"""A study whose runs are jobs of a real SLURM survives what happens to jobs."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ibbench.record.agenda import read_agenda
from ibbench.record.folder import read_records
from ibbench.record.lease import describe_owner
from ibbench.sweep.jobs import find_logs, read_jobs
from tests.cluster.slurm import ask_slurm, running_slurm, task_process, why_no_slurm
from tests.conftest import Command

pytestmark = pytest.mark.slow

TINY = ["train", "seeds=[0]", "budget.value=8000", "data.validation_size=100", "data.test_size=200"]
SMALL = [*TINY, "model=mlp", "data.train_size=200", "trainer.epochs=1"]
# Of each model one run that is long enough to be disturbed, and one that is not.
STUDY = [*TINY, "model=mlp,deep_sets,gnn", "data.train_size=2000,200", "trainer.epochs=3"]
STUDY += ["trainer.checkpoint_seconds=0.2", "trainer.compile=false"]
JOBS = ["cluster=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=null"]
JOBS += ["hydra.launcher.timeout_min=30", "hydra.launcher.signal_delay_s=30"]

WITHIN_SECONDS = 180.0  # for any one thing to happen, on a machine that is busy with others
MEASURED = ["train_seconds", "molecules_per_second"]  # what differs between two trainings of the same


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if reason := why_no_slurm():
        pytest.skip(reason)
    resource_tracker.ensure_running()  # one that is started while SLURM runs would be taken for a part of it
    with running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def slurm(running: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Let a test's own commands use the SLURM, with as many threads as its jobs; no job outlives the test."""
    for name, value in (running | {"OMP_NUM_THREADS": "1"}).items():
        monkeypatch.setenv(name, value)
    yield running
    ask_slurm(running, "scancel", "--user=root")


class Started:
    """A command at work, in a group of processes of its own as those of a shell are."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        self.study = folder / "results" / "quick"
        self._output = folder / "output"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ibbench", *arguments],
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def printed(self) -> str:
        return self._output.read_text()

    def end(self) -> tuple[int, str]:
        """Wait for its end, and return its exit code and what it printed."""
        self.wait_for("end of the command", lambda: self.process.poll() is not None)
        return self.process.returncode, self.printed()

    def wait_for(self, what: str, has_come: Callable[[], bool], every: float = 0.1) -> None:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not has_come():
            assert time.monotonic() < deadline, f"no {what} within {WITHIN_SECONDS:.0f} s:\n{self.describe()}"
            time.sleep(every)

    def describe(self) -> str:
        """Say all that is known of it and of its jobs."""
        queue = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True).stdout
        logs = [f"{path}:\n{path.read_text()}" for path in sorted(self.study.glob("runs/.submitit/*/*_log.*"))]
        return "\n".join([self.printed(), queue, *logs])


@contextlib.contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Started]:
    """Start a command; whatever happens, it is gone at the end."""
    command = Started(folder, *arguments)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGKILL)
        command.process.wait()


@contextlib.contextmanager
def holding_jobs_back(slurm: dict[str, str]) -> Iterator[None]:
    """Let jobs be submitted, but none be started."""
    ask_slurm(slurm, "scontrol", "update", "PartitionName=debug", "State=DOWN")
    try:
        yield
    finally:
        ask_slurm(slurm, "scontrol", "update", "PartitionName=debug", "State=UP")


def test_a_study_survives_jobs_that_are_killed_or_cancelled_or_reach_their_limit(
    slurm: dict[str, str], tmp_path: Path, ibbench: Command
) -> None:
    here, elsewhere = tmp_path / "jobs", tmp_path / "local"
    with started(here, *STUDY, *JOBS) as command:
        study = command.study
        with holding_jobs_back(slurm):  # so that the test cannot be late
            planned = re.findall(r"^  (\S+): model", ibbench(*STUDY, "--dry-run").stdout, flags=re.MULTILINE)
            command.wait_for("submission", lambda: bool(read_jobs(study)))
        jobs = {run: job.number for run, job in read_jobs(study).items()}
        assert list(jobs) == list(read_agenda(study)) == planned
        limited, killed, cancelled = planned[::2]

        # Stopped in the middle, they give SLURM and this test as much time as these take; SLURM wakes whom it signals.
        _stop_in_training(command, limited)
        ask_slurm(slurm, "scontrol", "update", f"jobid={jobs[limited]}", "EndTime=now+45")
        process = _stop_in_training(command, killed)
        assert process == task_process(slurm, jobs[killed])
        status = ibbench("status", "results/quick", cwd=here)
        assert status.returncode == 1
        assert re.search(rf"{killed} .* running .*step \d+ of \d+ is saved", status.stdout), status.stdout
        os.kill(process, signal.SIGKILL)
        with started(elsewhere, *STUDY) as undisturbed:
            _stop_in_training(command, cancelled)
            stopped = time.time()
            ask_slurm(slurm, "scancel", jobs[cancelled])
            command.wait_for("requeue", lambda: "Restarts=1" in _show(slurm, jobs[limited]))
            ask_slurm(slurm, "scontrol", "update", f"jobid={jobs[limited]}", "TimeLimit=30")  # or it stays short
            assert undisturbed.end()[0] == 0, undisturbed.describe()
        code, printed = command.end()
        assert code == 1, command.describe()

    assert f"Not finished: {killed}, {cancelled}." in printed, command.describe()
    assert len(re.findall(r"job \S+ has ended", printed)) == 6, printed
    assert "signal SIGUSR2" in _logs(study, limited)
    assert f"{limited}: resuming after step" in _logs(study, limited)
    assert "Restarts=1" in _show(slurm, jobs[limited])
    assert max(path.stat().st_mtime for path in (study / "runs" / cancelled).glob("checkpoint-*")) > stopped
    assert {record.run for record in read_records(study)} == {*planned} - {killed, cancelled}
    assert _count_rows(study) == 4
    status = ibbench("status", "results/quick", cwd=here)
    assert status.returncode == 1
    assert "6 runs, 4 done, 2 stopped" in status.stdout
    for run in (killed, cancelled):
        assert re.search(rf"{run} .* stopped .*step \d+ of \d+ is saved; job {jobs[run]} is not at work", status.stdout)

    again = ibbench(*STUDY, *JOBS, cwd=here)
    assert again.returncode == 0, command.describe() + again.stdout
    assert re.findall(r"(\S+): submitted as job", again.stdout) == [killed, cancelled]
    for run in (killed, cancelled):
        assert f"{run}: resuming after step" in _logs(study, run)
    assert _count_rows(study) == 6
    status = ibbench("status", "results/quick", cwd=here)
    assert (status.returncode, "6 runs, 6 done" in status.stdout) == (0, True), status.stdout
    assert _replicas(study) == _replicas(undisturbed.study)
    pd.testing.assert_frame_equal(_table(study), _table(undisturbed.study))


def test_ctrl_c_cancels_the_jobs_and_they_save_their_state(slurm: dict[str, str], tmp_path: Path) -> None:
    endless = ["trainer.epochs=100000", "trainer.compile=false", "trainer.checkpoint_seconds=0.2"]
    with started(tmp_path / "study", *SMALL, *JOBS, *endless) as command:
        command.wait_for("waiting for the job", lambda: "Jobs: " in command.printed())
        (run, job), study = read_jobs(command.study).popitem(), command.study
        command.wait_for("training", (study / "runs" / run / "checkpoint-0b.safetensors").exists)
        os.killpg(command.process.pid, signal.SIGINT)
        code, printed = command.end()
        assert (code, "1 jobs were cancelled" in printed) == (130, True), printed
        command.wait_for("end of the job", lambda: not _queue(slurm))
        assert "JobState=CANCELLED" in _show(slurm, job.number)
        assert "stopped by SIG" in _logs(study, run)
        assert not describe_owner(study / "runs" / run)


def test_jobs_outlive_the_command_and_are_not_submitted_twice(slurm: dict[str, str], tmp_path: Path) -> None:
    with holding_jobs_back(slurm):
        with started(tmp_path / "study", *SMALL, *JOBS) as command:
            command.wait_for("waiting for the job", lambda: "Jobs: 1 pending" in command.printed())
            os.killpg(command.process.pid, signal.SIGTERM)  # as a closed terminal does, but not under `nohup`
            code, printed = command.end()
            assert (code, "The jobs go on without this command" in printed) == (130, True), printed
        again = [sys.executable, "-m", "ibbench", *SMALL, *JOBS, "--detach"]
        told = subprocess.run(again, cwd=tmp_path / "study", capture_output=True, text=True, check=True).stdout
        (job,) = read_jobs(command.study).values()
        assert f"is job {job.number} already, pending" in told
        assert _queue(slurm) == "PENDING"
    with started(tmp_path / "study", *SMALL, *JOBS) as command:
        assert command.end()[0] == 0, command.describe()
    assert list(read_jobs(command.study).values()) == [job]
    assert [record.status for record in read_records(command.study)] == ["done"]


def test_a_detached_command_leaves_its_jobs_behind(slurm: dict[str, str], ibbench: Command) -> None:
    with holding_jobs_back(slurm):
        submitted = ibbench(*SMALL, *JOBS, "--detach")
        assert submitted.returncode == 0, submitted.stdout + submitted.stderr
        assert "ibbench status results/quick" in submitted.stdout
        status = ibbench("status", "results/quick")
        assert (status.returncode, "is pending, PartitionDown" in status.stdout) == (1, True), status.stdout
    deadline = time.monotonic() + WITHIN_SECONDS
    while _queue(slurm):
        assert time.monotonic() < deadline, _queue(slurm)
        time.sleep(0.1)
    status = ibbench("status", "results/quick")
    assert (status.returncode, "1 runs, 1 done" in status.stdout) == (0, True), status.stdout


def test_a_dry_run_submits_nothing(slurm: dict[str, str], tmp_path: Path, ibbench: Command) -> None:
    shown = ibbench(*SMALL, *JOBS, "--dry-run")
    assert (shown.returncode, "Nothing was started" in shown.stdout) == (0, True), shown.stdout + shown.stderr
    assert not _queue(slurm)
    assert not (tmp_path / "results").exists()


def test_a_partition_that_is_not_there_is_named_in_one_line(slurm: dict[str, str], ibbench: Command) -> None:
    refused = ibbench(*SMALL, *JOBS, "hydra.launcher.partition=nowhere")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
    assert "invalid partition specified: nowhere" in refused.stderr
    assert not _queue(slurm)


def test_without_slurm_it_is_said_what_is_missing(
    tmp_path: Path, ibbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = ibbench(*SMALL, *JOBS)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
    assert "`sbatch`" in refused.stderr


def _stop_in_training(command: Started, run: str) -> int:
    """Stop a job in the middle of a training of which it has saved something; return its process."""
    folder = command.study / "runs" / run
    command.wait_for(f"start of {run}", lambda: bool(describe_owner(folder)), every=0.01)
    process = int(describe_owner(folder).rpartition(" ")[2])
    command.wait_for(f"checkpoint of {run}", (folder / "checkpoint-0a.safetensors").exists, every=0.01)
    os.kill(process, signal.SIGSTOP)
    assert not (folder / "record.json").exists(), f"{run} was trained too fast to be disturbed"
    return process


def _queue(slurm: dict[str, str]) -> str:
    return ask_slurm(slurm, "squeue", "--noheader", "--format=%T")


def _show(slurm: dict[str, str], job: str) -> str:
    return ask_slurm(slurm, "scontrol", "show", "job", job)


def _logs(study: Path, run: str) -> str:
    return "".join(path.read_text() for path in find_logs(study, read_jobs(study)[run]))


def _replicas(study: Path) -> dict[str, Any]:
    return {record.run: record.replicas for record in read_records(study)}


def _table(study: Path) -> pd.DataFrame:
    table = pd.read_csv(study / "table.csv").drop(columns=MEASURED)
    table["pareto"] = table["pareto"].fillna("").str.replace("seconds", "").str.strip()
    return table


def _count_rows(study: Path) -> int:
    """Count the rows of models, without those of baselines."""
    return int(_table(study)["model"].isin(["mlp", "deep_sets", "gnn"]).sum())
