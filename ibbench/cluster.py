"""Runs as jobs of a cluster: submitted, waited for, and found again by `ibbench status`."""

import contextlib
import io
import json
import math
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.interrupt import deferring, raise_if_asked
from ibbench.recall import read_finished, study_folder
from ibbench.terminal import say

_LOOK_SECONDS = 10.0  # between two questions to SLURM; submitit by itself comes to ask every ten minutes only
_FOLDER = ".submitit"  # in a study's runs/; see configs/cluster


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> None:
    """Submit the points of a sweep that are missing, as one array, and wait for them unless the command detaches.

    Args:
        launcher: a launcher of hydra-submitit-launcher, set up.
        job_overrides: of each point.
        initial_job_idx: the number of the first of them in the sweep.

    Raises:
        InputError: there is no such cluster here, or it refuses the jobs.
    """
    from hydra.core.singleton import Singleton

    from ibbench.plan import plan
    from ibbench.sweep import StudyCallback

    points, calls = [], []
    for number, overrides in enumerate(job_overrides, initial_job_idx):
        point = plan(StudyCallback.latest.configs[number])
        if point.config.rerun or not read_finished(point.folder):
            points.append(point)
            calls.append((list(overrides), "hydra.sweep.dir", number, f"point_{number}", Singleton.get_state()))
    if not points:
        return
    with deferring():  # an interruption in the middle would leave jobs that nobody knows of
        jobs = _submit(launcher, calls)
    study = study_folder(points[0].config)
    runs = [point.run for point in points]
    _note_jobs(study, launcher._EXECUTOR, dict(zip(runs, [job.job_id for job in jobs], strict=True)))
    for run, one in zip(runs, jobs, strict=True):
        say(f"{run}: submitted as job {one.job_id}")
    if not launcher.config.hydra.callbacks.study.detach:
        _wait(launcher._EXECUTOR, dict(zip(runs, jobs, strict=True)))


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
                "+cluster=slurm needs SLURM's `sbatch` and `srun` on the PATH: run it where jobs are submitted from"
            ) from None
        reasons = [line for line in str(error).splitlines() if "error:" in line] or str(error).splitlines()[:1]
        raise InputError(
            f"the jobs were not accepted: {' '.join(reasons)}; see hydra.launcher in --cfg hydra"
        ) from None
    sys.stderr.write(printed.getvalue())
    return jobs


def _wait(kind: str, jobs: dict[str, Any]) -> None:
    """Wait until no job is queued or running, and say how each one ended; an interruption cancels them."""
    left = dict(jobs)
    looked_at, told = -math.inf, ""
    try:
        raise_if_asked()
        while left:
            if time.monotonic() - looked_at > _LOOK_SECONDS:
                next(iter(left.values())).done(force_check=True)  # asks for all of them
                looked_at = time.monotonic()
                states = Counter(ask_for_states([Job(kind, job.job_id) for job in left.values()]).values())
                news = "; ".join(f"{count} {state}" for state, count in sorted(states.items()))
                if news not in {told, ""}:
                    say(f"Jobs: {news}")
                    told = news
            for run, job in list(left.items()):
                if job.done():
                    del left[run]
                    say(f"{run}: job {job.job_id} has ended{_how(job)}; {len(left)} are left")
            time.sleep(0.5)
    except KeyboardInterrupt:
        for job in left.values():
            job.cancel(check=False)
        say(f"{len(left)} jobs were cancelled; what they had trained is saved.")
        raise


def _how(job: Any) -> str:
    """Say how a job ended if its run is not done, and where it left its words."""
    how = str(job.state).lower()
    if job.paths.result_pickle.exists() and not job.exception():
        how = job.results()[0].return_value
        if how == "done":
            return ""
    return f" ({how}), see {job.paths.stdout}"


class Job(NamedTuple):
    """What a run was submitted as: `kind` is slurm or local, `number` its id there."""

    kind: str
    number: str


def _note_jobs(study: Path, kind: str, jobs: dict[str, str]) -> None:
    first = next(iter(jobs.values())).partition("_")[0]
    write_atomically(study / "runs" / _FOLDER / f"jobs-{first}.json", json.dumps({"kind": kind, "jobs": jobs}))


def read_jobs(study: Path) -> dict[str, Job]:
    """Return the last job that each run of a study was submitted as."""
    jobs: dict[str, Job] = {}
    for path in sorted((study / "runs" / _FOLDER).glob("jobs-*.json"), key=lambda path: path.stat().st_mtime_ns):
        noted = json.loads(path.read_text())
        jobs |= {run: Job(noted["kind"], number) for run, number in noted["jobs"].items()}
    return jobs


def find_logs(study: Path, job: Job) -> list[Path]:
    """Return the files into which a job has written, errors first."""
    return sorted((study / "runs" / _FOLDER / job.number).glob("*_log.*"))


def ask_for_states(jobs: Sequence[Job]) -> dict[Job, str]:
    """Say what jobs that have not ended are doing, such as `pending, Resources`; only for those this machine knows."""
    states = {job: "at work" for job in jobs if job.kind == "local" and psutil.pid_exists(int(job.number))}
    queued = [job.number.partition("_")[0] for job in jobs if job.kind == "slurm"]
    if not queued or not shutil.which("squeue"):
        return states
    ids = ",".join(dict.fromkeys(queued))
    command = ["squeue", "--noheader", "--array", "--jobs", ids, "--format=%i %T %r"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return states
    for line in found.splitlines():
        number, state, reason = line.split(maxsplit=2)
        states[Job("slurm", number)] = state.lower() + ("" if reason in {"None", "(null)"} else f", {reason}")
    return states
