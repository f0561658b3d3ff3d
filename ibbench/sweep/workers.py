"""Processes of joblib that train runs side by side: when the command is to stop, they save their states first."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from ibbench.run.interrupt import Stopped, deferring, listening, raise_if_asked

_SAVE_SECONDS = 9.0  # then joblib kills them


@contextlib.contextmanager
def saved_before_they_end() -> Iterator[None]:
    """Pass a signal on to the workers, and wait for them.

    Raises:
        Stopped: a signal has asked to stop.
    """
    with deferring(_SAVE_SECONDS, _tell_workers):
        try:
            yield
        finally:  # a worker that was between two runs ends at once, and joblib raises: this replaces what it raised
            raise_if_asked()


def _tell_workers() -> None:
    for worker in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            worker.terminate()


def run_in_worker(task: Callable[[Any], str], config: Any) -> str:
    """Call the task of a launcher in a worker, which joblib gives one run after another.

    Args:
        task: the function that runs a point.
        config: what it is called with.

    Returns:
        What the task returns; `stopped` if this worker was told to stop, now or in a run before.
    """
    with listening(remembering=True):
        try:
            raise_if_asked()
            return task(config)
        except Stopped:
            return "stopped"
