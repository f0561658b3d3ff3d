"""The SLURM that other tests run on does what they take for granted."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm import ask_slurm, processes, running_slurm, task_process, why_no_slurm

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_slurm()), reason=why_no_slurm())]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def test_the_tasks_of_an_array_wait_and_complete(slurm: dict[str, str], tmp_path: Path) -> None:
    job = _submit(slurm, tmp_path, "srun echo task $SLURM_ARRAY_TASK_ID", "--array=0-2%2", "--hold")
    assert _states(slurm, job) == {f"{job}_[0-2%2]": "PENDING"}
    ask_slurm(slurm, "scontrol", "release", job)
    _wait(slurm, job, {f"{job}_{task}": "COMPLETED" for task in range(3)})
    assert [(tmp_path / f"{task}.txt").read_text() for task in range(3)] == [f"task {task}\n" for task in range(3)]


def test_of_two_jobs_at_once_one_fails_when_it_is_killed(slurm: dict[str, str], tmp_path: Path) -> None:
    job = _submit(slurm, tmp_path, "srun sleep 100", "--array=0-1")
    _wait(slurm, job, {f"{job}_0": "RUNNING", f"{job}_1": "RUNNING"})
    os.kill(_task(slurm, f"{job}_1"), signal.SIGKILL)
    _wait(slurm, job, {f"{job}_0": "RUNNING", f"{job}_1": "FAILED"})
    ask_slurm(slurm, "scancel", job)
    _wait(slurm, job, {f"{job}_0": "CANCELLED", f"{job}_1": "FAILED"})


def test_a_requeued_job_starts_again_within_seconds(slurm: dict[str, str], tmp_path: Path) -> None:
    job = _submit(slurm, tmp_path, "echo $SLURM_RESTART_COUNT; [ $SLURM_RESTART_COUNT ] || srun sleep 100")
    _wait(slurm, job, {job: "RUNNING"})
    ask_slurm(slurm, "scontrol", "requeue", job)
    _wait(slurm, job, {job: "COMPLETED"})


def test_no_process_is_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running_slurm(tmp_path) as slurm:
        job = _submit(slurm, tmp_path, "srun sh -c 'trap : TERM; env -i sleep 100; :'")
        _wait(slurm, job, {job: "RUNNING"})
        started = {*processes(tmp_path), _task(slurm, job)}
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in started}
        assert names >= {"munged", "slurmctld", "slurmd", "slurmstepd", "srun"}
        raise ZeroDivisionError
    assert not [pid for pid in started if _lives(pid)]
    assert not processes(tmp_path)


def _submit(slurm: dict[str, str], folder: Path, command: str, *options: str) -> str:
    output = "%a.txt" if any(option.startswith("--array") for option in options) else "%j.txt"
    return ask_slurm(
        slurm, "sbatch", "--parsable", "--ntasks=1", f"--output={folder / output}", *options, f"--wrap={command}"
    )


def _states(slurm: dict[str, str], job: str) -> dict[str, str]:
    lines = ask_slurm(slurm, "sacct", "-o", "JobID,State,NodeList", "--parsable2", "-j", job).splitlines()
    assert lines[0] == "JobID|State|NodeList"
    return dict(line.split("|")[:2] for line in lines[1:])


def _wait(slurm: dict[str, str], job: str, expected: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while (states := _states(slurm, job)) != expected:
        assert time.monotonic() < deadline, states
        time.sleep(0.1)


def _task(slurm: dict[str, str], job: str) -> int:
    """Wait for the task of a running job: its shell runs before that."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return task_process(slurm, job)
        except (RuntimeError, StopIteration):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()  # not a zombie, which waits for init
    except OSError:
        return False
