"""Runs as jobs of a cluster: submitted, waited for, and looked up by `ibbench status`."""

from __future__ import annotations

import contextlib
import io
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.folder import RUNS
from ibbench.run.interrupt import Stopped, deferring, raise_if_asked
from ibbench.terminal import mention, say

if TYPE_CHECKING:  # it imports more than `ibbench status` needs
    from ibbench.sweep.sweep import Sweep

_LOOK_SECONDS = 10.0  # between two questions to SLURM
_MOST_IN_ARRAY = 1000  # jobs; SLURM's MaxArraySize is 1001 by default
_SUBMISSION_SECONDS = 60.0  # a Ctrl-C waits so long for the end of a submission
_FOLDER = ".submitit"  # lies in the runs/ of a study; see configs/cluster
UNKNOWN = "not known to this machine"


class Job(NamedTuple):
    """The job that a run was submitted as.

    Attributes:
        kind: `slurm`, or `local` for a process on this machine.
        number: the id of the job in SLURM, such as 12_3, or of the process.
    """

    kind: str
    number: str


def launch(sweep: Sweep, launcher: Any, calls: dict[int, tuple[Any, ...]]) -> None:
    """Submit the points of a sweep that are missing, and wait for all jobs unless the sweep detaches.

    Args:
        sweep: a sweep whose points are planned.
        launcher: a launcher of hydra-submitit-launcher, after its setup. It is sent to each job, which calls it.
        calls: the arguments of that call for each point, by its place in the sweep.

    Raises:
        InputError: this machine has no such cluster, or the cluster refuses the jobs.
        Stopped: a signal has asked to stop.
    """
    from ibbench.sweep.announce import is_to_do

    wanted = {sweep.points[number].run: call for number, call in calls.items() if is_to_do(sweep.points[number])}
    jobs = {run: job for run, job in read_jobs(sweep.study).items() if run in wanted}
    at_work = ask_for_states(list(jobs.values()))
    jobs = {run: job for run, job in jobs.items() if at_work.get(job, UNKNOWN) != UNKNOWN}
    for run, job in jobs.items():
        mention(f"{run}: is job {job.number} already, {at_work[job]}")
    missing, submitted = [run for run in wanted if run not in jobs], dict[str, Any]()
    for runs in (missing[start : start + _MOST_IN_ARRAY] for start in range(0, len(missing), _MOST_IN_ARRAY)):
        with deferring(_SUBMISSION_SECONDS):  # an interruption in the middle would leave jobs that no file lists
            submitted |= dict(zip(runs, _submit(launcher, [wanted[run] for run in runs]), strict=True))
            _note_jobs(sweep.study, launcher._EXECUTOR, {run: submitted[run].job_id for run in runs})
        for run in runs:
            mention(f"{run}: submitted as job {submitted[run].job_id}")
    jobs |= {run: Job(launcher._EXECUTOR, job.job_id) for run, job in submitted.items()}
    if not sweep.detach:
        _wait(sweep.study, jobs, submitted)


def _submit(launcher: Any, calls: list[tuple[Any, ...]]) -> list[Any]:
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

    kind, options = launcher._EXECUTOR, dict(launcher.params)
    folder = options.pop("submitit_folder")
    timeouts = {f"{kind}_max_num_timeout": options.pop("max_num_timeout")} if "max_num_timeout" in options else {}
    shared = BaseQueueConf.__dataclass_fields__
    printed = io.StringIO()  # submitit prints what sbatch refuses before it raises it
    try:
        with contextlib.redirect_stderr(printed):
            executor = submitit.AutoExecutor(folder, cluster=kind, **timeouts)
            executor.update_parameters(**{key if key in shared else f"{kind}_{key}": options[key] for key in options})
            jobs: list[Any] = executor.map_array(launcher, *zip(*calls, strict=True))
    except (RuntimeError, OSError, subprocess.CalledProcessError, submitit.core.utils.FailedJobError) as error:
        if kind == "slurm" and not shutil.which("sbatch"):
            raise InputError(
                "cluster=slurm needs SLURM's `sbatch` and `srun` on the PATH: run it where jobs are submitted from"
            ) from None
        reasons = [line for line in str(error).splitlines() if "error:" in line] or str(error).splitlines()[:1]
        raise InputError(
            f"the jobs were not accepted: {' '.join(reasons)}; see hydra.launcher in --cfg hydra"
        ) from None
    sys.stderr.write(printed.getvalue())
    return jobs


def _wait(study: Path, jobs: dict[str, Job], submitted: dict[str, Any]) -> None:
    """Wait until no job is queued or running, and say how each one ended. Ctrl-C cancels the jobs of this command.

    A job has ended when its result exists, or when `squeue` has not listed it two times in a row. SLURM's accounting
    would know more, but does not run on every cluster.

    Args:
        study: the folder of the study.
        jobs: all jobs to wait for, by the name of the run.
        submitted: jobs of submitit that this command has submitted, by the name of the run.

    Raises:
        Stopped: a signal has asked to stop.
    """
    left, unseen = dict(jobs), Counter[str]()
    looked_at, told = -math.inf, ""
    try:
        raise_if_asked()
        while left:
            if time.monotonic() - looked_at > _LOOK_SECONDS:
                states = ask_for_states(list(left.values()))
                unseen = Counter({run: unseen[run] + 1 for run, job in left.items() if job not in states})
                looked_at = time.monotonic()
                news = "; ".join(f"{count} {state}" for state, count in sorted(Counter(states.values()).items()))
                if news not in {told, ""}:
                    mention(f"Jobs: {news}")
                    told = news
            for run, job in list(left.items()):
                if unseen[run] > 1 or (run in submitted and _has_ended(submitted[run])):
                    del left[run]
                    how = _describe_outcome(submitted[run]) if run in submitted else ""
                    tell = say if how else mention
                    tell(f"{run}: job {job.number} has ended{how}; {len(left)} are left")
            time.sleep(max(0.5, len(left) / 100))  # each round looks at a file per job
    except KeyboardInterrupt as stop:
        if isinstance(stop, Stopped) and stop.number != signal.SIGINT:
            say(f"The jobs go on without this command: `ibbench status {study}` tells how far they are.")
        else:
            _cancel([submitted[run] for run in left if run in submitted])
        raise


def _has_ended(job: Any) -> bool:
    import submitit

    return job.paths.result_pickle.exists() or (isinstance(job, submitit.LocalJob) and job.done())


def _describe_outcome(job: Any) -> str:
    """Describe how a job ended and where its log is; empty if its run is done."""
    how = "without a result"
    if job.paths.result_pickle.exists():
        try:
            how = job.results()[0].return_value
        except Exception as error:  # submitit raises what the job has raised, of any type
            how = str(error).partition("\n")[0]
    return "" if how == "done" else f" ({how}), see {job.paths.stdout}"


def _cancel(jobs: Sequence[Any]) -> None:
    import submitit

    for job in jobs:
        if isinstance(job, submitit.LocalJob):
            job.cancel()
    if numbers := [job.job_id for job in jobs if isinstance(job, submitit.SlurmJob)]:
        subprocess.run(["scancel", *numbers], check=False)
    say(f"{len(jobs)} jobs were cancelled; they save what they have trained.")


def _note_jobs(study: Path, kind: str, jobs: dict[str, str]) -> None:
    first = next(iter(jobs.values())).partition("_")[0]
    write_atomically(study / RUNS / _FOLDER / f"jobs-{first}.json", json.dumps({"kind": kind, "jobs": jobs}))


def read_jobs(study: Path) -> dict[str, Job]:
    """Return the last job that each run of a study was submitted as, by the name of the run."""
    jobs: dict[str, Job] = {}
    for path in sorted((study / RUNS / _FOLDER).glob("jobs-*.json"), key=lambda path: path.stat().st_mtime_ns):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # a damaged file is skipped
            noted = json.loads(path.read_text())
            jobs |= {run: Job(noted["kind"], str(number)) for run, number in noted["jobs"].items()}
    return jobs


def find_logs(study: Path, job: Job) -> list[Path]:
    """Return the log files of a job, in alphabetical order: errors before output."""
    return sorted((study / RUNS / _FOLDER / job.number).glob("*_log.*"))


def ask_for_states(jobs: Sequence[Job]) -> dict[Job, str]:
    """Ask SLURM, or the processes of this machine, for the states of jobs.

    Returns:
        A state such as `pending, Resources` for each job that has not ended; `UNKNOWN` for all jobs of SLURM if SLURM
        does not answer.
    """
    states = {job: "at work" for job in jobs if job.kind == "local" and _is_at_work(job)}
    queued = [job for job in jobs if job.kind == "slurm"]
    if not queued:
        return states
    ids = ",".join(dict.fromkeys(job.number.partition("_")[0] for job in queued))
    command = ["squeue", "--noheader", "--array", "--jobs", ids, "--format=%i %T %r"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return states | dict.fromkeys(queued, UNKNOWN)
    if asked.returncode and "Invalid job id" not in asked.stderr:  # SLURM says this about jobs that ended long ago
        return states | dict.fromkeys(queued, UNKNOWN)
    for line in asked.stdout.splitlines():
        number, state, reason = line.split(maxsplit=2)
        states[Job("slurm", number)] = state.lower() + ("" if reason in {"None", "(null)"} else f", {reason}")
    return states


def _is_at_work(job: Job) -> bool:
    """Whether the process of a local job is alive, and is still the one that submitit started."""
    try:
        return any("submitit" in word for word in psutil.Process(int(job.number)).cmdline())
    except (psutil.Error, ValueError):
        return False
