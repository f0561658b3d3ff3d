"""One point of a sweep, as a launcher has it run: in this process, in another one, or on another machine."""

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
    """Run one point. It never raises into the sweep, so that the other points go on.

    Args:
        config: the run.
        place: the process and the display that it trains with; None for alone.

    Returns:
        The status of its record, `done` or `failed`; `elsewhere` if another process trains it; `stopped` if a signal
        has ended the job of a cluster.

    Raises:
        Stopped: a signal has asked this process to stop, and it is not the job of a cluster.
    """
    if _is_job_of_cluster():
        be_quiet(False)  # nobody is disturbed by its log, which is read when something went wrong
    with listening():
        try:
            raise_if_asked()
            return _run(config, place)
        except Stopped as stop:
            if _is_job_of_cluster():
                say(f"stopped by {stop}; what is trained is saved")
            try:
                if not hand_over(stop):  # on SLURM's warning submitit queues the job again, and does not return
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
    except Exception as error:  # it was possible when the sweep was checked: the data or the machine have changed
        say(f"a run could not be started: {error}")
        if not isinstance(error, InputError):
            traceback.print_exc()
        note_start_error(config, error)
        return "failed"
    # A job of a cluster has to find out for itself whether the last owner is dead; a command does so at its end.
    patience = 1.25 * EXPIRES_SECONDS if _is_job_of_cluster() else 0.0
    record = execute(point, patience, place or ALONE)
    return record.status if record else "elsewhere"


def _is_job_of_cluster() -> bool:
    return "SUBMITIT_EXECUTOR" in os.environ
