"""How far each run of a study is, according to the files in its folder and the queue of the cluster."""

import math
from pathlib import Path
from typing import NamedTuple

from ibbench.errors import InputError
from ibbench.record.agenda import Planned, read_agenda, read_start_error
from ibbench.record.folder import RUNS, StudyFolder
from ibbench.record.lease import EXPIRES_SECONDS, describe_owner, seconds_since_sign
from ibbench.record.predictions import check_archive
from ibbench.record.schema import BrokenError
from ibbench.sweep.jobs import Job, ask_for_states, find_logs, read_jobs
from ibbench.training.saved import saved_part

_MAY_BE_QUEUED = {"missing", "stopped", "failed"}
_RUNNING = {"running", "at work"}  # states of a job that has started: in SLURM, and as a local process
STATES = ("done", "running", "stopped", "failed", "missing")


class RunState(NamedTuple):
    """How far one run is.

    Attributes:
        run: the name of the run.
        point: overrides that tell the run from the others of its command; empty if unknown.
        state: one of `STATES`.
        note: details in words, such as the last step that was saved, or why the run failed; may be empty.
    """

    run: str
    point: str
    state: str
    note: str


def read_status(study: Path) -> list[RunState]:
    """Find out how far each run of a study is, also of runs that have a folder but that no command has planned.

    Args:
        study: the folder of the study.

    Raises:
        InputError: the folder holds no runs.
    """
    planned = read_agenda(study)
    folders = {path.name: path for path in study.glob(f"{RUNS}/*-*/") if path.is_dir()}
    if not planned and not folders:
        raise InputError(f"{study} holds no runs: expected a study, such as results/quick, that was trained here")
    jobs = read_jobs(study)
    names = [*planned, *sorted(folders.keys() - planned.keys())]
    states = [_find_state(study / RUNS / name, planned.get(name)) for name in names]
    waiting = [jobs[state.run] for state in states if state.state in _MAY_BE_QUEUED and state.run in jobs]
    at_work = ask_for_states(waiting)
    return [_with_job(state, study, jobs.get(state.run), at_work) for state in states]


def _find_state(folder: Path, planned: Planned | None) -> RunState:
    """Find out how far a run is, by the files in its folder."""
    run, point = folder.name, planned.point if planned else ""
    if not folder.exists():
        return RunState(run, point, "missing", "")
    saved = _describe_saved(folder, planned)
    owner, silence = describe_owner(folder), seconds_since_sign(folder)
    status, reason = _read_outcome(folder)
    # The process that finished a run may have died before it could remove its lock.
    if owner and (status != "done" or silence < EXPIRES_SECONDS):
        alive = silence < EXPIRES_SECONDS
        sign = "" if alive else "which has died" if math.isinf(silence) else f"silent for {silence:,.0f} s"
        note = "; ".join(filter(None, [f"by {owner}{', ' if sign else ''}{sign}", saved]))
        return RunState(run, point, "running" if alive else "stopped", note)
    if status == "missing" and saved:
        status = "stopped"
    note = reason or read_start_error(folder) or saved
    if status == "missing" and note:
        status = "failed"
    return RunState(run, point, status, "" if status == "done" else note)


def _describe_saved(folder: Path, planned: Planned | None) -> str:
    found = saved_part(folder)
    if found is None:
        return ""
    part, steps = found
    of = f" of {planned.steps:,}" if planned and planned.steps and planned.stages == 1 else ""
    which = f"stage {part % planned.stages + 1} of {planned.stages}, " if planned and planned.stages > 1 else ""
    return f"{which}step {steps:,}{of} is saved"


def _read_outcome(folder: Path) -> tuple[str, str]:
    """Return the state of a run according to its record and predictions, and the reason if it failed or is damaged."""
    try:
        record = StudyFolder.at(folder.parents[1]).record(folder.name)
        if record is None:
            return "missing", ""
        if record.error:
            return "failed", record.error.message
        check_archive(folder)
    except BrokenError as error:
        return "failed", str(error)
    return "done", ""


def _with_job(state: RunState, study: Path, job: Job | None, at_work: dict[Job, str]) -> RunState:
    """Add the state of the job that an unfinished run was submitted as, and where its log is."""
    if not job or state.state in {"done", "running"}:
        return state
    if job in at_work:
        state = state._replace(state="running" if at_work[job] in _RUNNING else state.state)
        told = f"job {job.number} is {at_work[job]}"
    else:
        told = f"job {job.number} is not at work"
    logs = [] if job in at_work else find_logs(study, job)
    where = f"see {logs[0]}" if logs else ""
    return state._replace(note="; ".join(filter(None, [state.note, told, where])))
