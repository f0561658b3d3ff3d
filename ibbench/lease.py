"""Who trains a run: one process at a time, also among machines that share nothing but the folder of results.

The lock is a file in the run's folder that names its owner and is touched as long as the owner lives. Whoever waits
watches by a clock of its own, so that clocks may jump or differ. An owner on the same machine that has died is known at
once, one on another machine after `EXPIRES_SECONDS` without a sign of life. No `flock` is needed.
"""

import contextlib
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import SoftFileLease, Timeout

FILE = "lock"
BEAT_SECONDS = 15.0
EXPIRES_SECONDS = 120.0  # a network file system may show a touch a minute late


class TakenError(Exception):
    """Another process trains the run; the message says which."""


class LostError(Exception):
    """A run is not this process's any more: its folder is gone, or another process has taken it over."""


class Lease:
    """The right to write into the folder of a run."""

    def __init__(self, folder: Path, lock: SoftFileLease) -> None:
        self._folder, self._lock = folder, lock

    def check(self) -> None:
        """Check that the run is still this process's.

        Raises:
            LostError: it is not, and nothing may be written.
        """
        owner = self._lock.owner
        if owner and owner.token == self._lock.token and not self._lock.compromise:
            return
        if not self._folder.exists():
            raise LostError(f"its folder {self._folder} was deleted or moved while it trained")
        by = f" by {owner.hostname}, process {owner.pid}" if owner else ""
        raise LostError(f"it was taken over{by} while this process gave no sign of life, or its lock was removed")


@contextlib.contextmanager
def hold(folder: Path, patience: float = 0.0) -> Iterator[Lease]:
    """Hold the lock of a run.

    Args:
        folder: of the run; it is made.
        patience: seconds to wait for another process to let go, or to be known as dead; -1 for as long as it takes.

    Raises:
        TakenError: another process holds it.
        OSError: the folder or the lock cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    try:
        lock.acquire(timeout=patience, poll_interval=0.5)
    except Timeout:
        raise TakenError(f"is trained by {describe_owner(folder) or 'another process'}") from None
    try:
        yield Lease(folder, lock)
    finally:
        with contextlib.suppress(OSError):  # the folder is gone
            lock.release()


def describe_owner(folder: Path) -> str:
    """Say which process holds the lock of a run; empty if none does."""
    owner = _lock(folder).owner
    return f"{owner.hostname}, process {owner.pid}" if owner else ""


def seconds_since_sign(folder: Path) -> float:
    """Return how long the owner of a run has given no sign of life; infinite if it has none.

    An owner on this machine is looked for. Of another machine there is only the time of its last touch, by a clock that
    may not be ours: good enough to be shown, and not used for anything else.
    """
    owner = _lock(folder).owner
    if owner is None:
        return math.inf
    if owner.hostname == socket.gethostname():
        return 0.0 if psutil.pid_exists(owner.pid) else math.inf
    try:
        return abs(time.time() - (folder / FILE).stat().st_mtime)
    except OSError:
        return math.inf


def _lock(folder: Path) -> SoftFileLease:
    return SoftFileLease(folder / FILE, lease_duration=EXPIRES_SECONDS, heartbeat_interval=BEAT_SECONDS)
