"""One point of a sweep, run in the process that a launcher has chosen: this one, another one, or on another machine."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Literal

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.lease import EXPIRES_SECONDS
from ibbench.run.interrupt import Stopped, hand_over, listening, raise_if_asked
from ibbench.terminal import be_quiet, say

if TYPE_CHECKING:  # it imports torch, which is not needed to find that all runs are done
    from ibbench.run.pack import Place

Outcome = Literal["done", "failed", "elsewhere", "stopped"]


def run_point(config: Config, place: Place | None = None) -> Outcome:
    """Run one point. A failure is not raised, so that the other points of the sweep go on.

    Args:
        config: the config of the run.
        place: how its progress is shown and how many replicas train at once; None for a run that trains alone.

    Returns:
        `done` or `failed`, the status of the run's record; `elsewhere` if another process trains the run; `stopped` if
        a signal has ended the job of a cluster that trained it.

    Raises:
        Stopped: a signal has asked this process to stop, and it is not the job of a cluster.
    """
    if _is_job_of_cluster():
        be_quiet(False)  # its log is read only when something went wrong, and then needs all lines
    with listening():
        try:
            raise_if_asked()
            return _run(config, place)
        except Stopped as stop:
            if _is_job_of_cluster():
                say(f"stopped by {stop}; what is trained is saved")
            try:
                if not hand_over(stop):  # after SLURM's warning submitit queues the job again and ends the process
                    raise
            except Exception as error:
                say(f"it could not be queued again: {error}")
            return "stopped"


def _run(config: Config, place: Place | None) -> Outcome:
    from ibbench.record.agenda import note_start_error
    from ibbench.run.execute import execute
    from ibbench.run.pack import ALONE
    from ibbench.run.plan import plan

    try:
        point = plan(config)
    except Exception as error:  # the sweep was checked, but the data may have changed, or this machine is another one
        say(f"a run could not be started: {error}")
        if not isinstance(error, InputError):
            traceback.print_exc()
        note_start_error(config, error)
        return "failed"
    # A job of a cluster must wait until a dead owner is noticed. A command need not: it waits at its end.
    patience = 1.25 * EXPIRES_SECONDS if _is_job_of_cluster() else 0.0
    record = execute(point, patience, place or ALONE)
    return record.status if record else "elsewhere"


def _is_job_of_cluster() -> bool:
    return "SUBMITIT_EXECUTOR" in os.environ
