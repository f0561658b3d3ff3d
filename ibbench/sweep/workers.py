"""Processes of joblib that train runs side by side: when the command is to stop, they save their states first."""

import contextlib
from collections.abc import Iterator

import psutil

from ibbench.run.interrupt import deferring, raise_if_asked

_SAVE_SECONDS = 9.0  # then joblib kills them

_stopped = False  # in a worker: whether it was told to stop, and is not to begin another run


@contextlib.contextmanager
def saved_before_they_end() -> Iterator[None]:
    """Pass a signal on to the workers, and wait for them.

    Raises:
        Stopped: a signal has asked to stop.
    """
    with deferring(_SAVE_SECONDS, _tell_workers):
        try:
            yield
        finally:  # a worker that has not come to listening yet ends at once, and joblib's pool with it
            raise_if_asked()


def _tell_workers() -> None:
    for worker in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            worker.terminate()


def stop_working() -> None:
    """Note, in a worker, that it was told to stop."""
    global _stopped
    _stopped = True


def told_to_stop() -> bool:
    """Whether this process is a worker that was told to stop."""
    return _stopped
