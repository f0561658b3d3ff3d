"""Who trains a run: one process at a time, also among machines that share nothing but the folder of results.

The lock is a file in the run's folder that names its owner and is touched as long as the owner lives. Whoever waits
watches by a clock of its own, so that clocks may jump or differ. An owner on the same machine that has died is known at
once, one on another machine after `EXPIRES_SECONDS` without a sign of life. No `flock` is needed.
"""

import contextlib
import functools
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from filelock import SoftFileLease, Timeout

from ibbench.record.folder import LOCK

BEAT_SECONDS = 15.0
_LOOK_SECONDS = 5.0  # between two checks, while waiting, whether the owner is a zombie process
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
        folder: the folder of the run; it is made if it does not exist.
        patience: seconds to wait for another process to let go, or to be known as dead; -1 for as long as it takes.

    Raises:
        TakenError: another process holds it.
        OSError: the folder or the lock cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    begun = changed = time.monotonic()
    seen = _read_sign(folder / LOCK)
    while not lock.is_locked:
        if (now := _read_sign(folder / LOCK)) != seen:
            seen, changed = now, time.monotonic()
        if seen and _is_dead(folder, silence=time.monotonic() - changed):
            _remove_lock(folder, seen)
        left = (math.inf if patience < 0 else patience) - (time.monotonic() - begun)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=max(0.0, min(left, _LOOK_SECONDS)), poll_interval=0.5)
        if left <= 0 and not lock.is_locked:
            raise TakenError(f"is trained by {describe_owner(folder) or 'another process'}")
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
    if owner.hostname == _own_name():
        return 0.0 if _is_alive(owner.pid) else math.inf
    try:
        return abs(time.time() - (folder / LOCK).stat().st_mtime)
    except OSError:
        return math.inf


def _read_sign(path: Path) -> tuple[int, int] | None:
    """Return what changes when the owner of a lock touches it, or another one takes it; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_dead(folder: Path, silence: float) -> bool:
    """Whether the owner of a lock is dead though filelock does not take it over.

    filelock does not see that a zombie process is dead (common in containers, where nobody reaps them). It does not
    take over a lock on a file system that cannot exchange two names, such as NFS, nor an empty lock, which a machine
    leaves that loses power before it has written who it is.

    Args:
        folder: the folder of the run.
        silence: seconds for which the lock was seen not to change, by the clock of this process.
    """
    owner = _lock(folder).owner
    if owner and owner.hostname == _own_name():
        return not _is_alive(owner.pid)
    return silence > 1.1 * EXPIRES_SECONDS  # filelock comes first, where it can


def _remove_lock(folder: Path, seen: tuple[int, int]) -> None:
    """Remove the lock of a dead owner, if it is still the one that was seen."""
    path, aside = folder / LOCK, folder / f".{LOCK}-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        if _read_sign(path) != seen:
            return
        path.rename(aside)
        if _read_sign(aside) != seen:  # another has taken it over in this very moment: it gets it back
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(aside)
        aside.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    except (PermissionError, psutil.AccessDenied):  # of another user
        return True


@functools.cache
def _own_name() -> str:
    """Return what filelock calls this machine: a container has more than its host's name."""
    with TemporaryDirectory() as folder:
        lock = _lock(Path(folder))
        with lock:
            owner = lock.owner
    return owner.hostname if owner else ""


def _lock(folder: Path) -> SoftFileLease:
    return SoftFileLease(folder / LOCK, lease_duration=EXPIRES_SECONDS, heartbeat_interval=BEAT_SECONDS)
