"""Locks of runs: one process at a time trains a run, also if machines share nothing but the folder of results.

The lock is a file in the run's folder that names its owner. The owner touches it every `BEAT_SECONDS`. A process that
waits measures the time between touches by its own clock, so clocks of machines may jump or differ. It notices at once
if an owner on the same machine has died, and after `EXPIRES_SECONDS` without a touch if the owner is on another
machine. No `flock` is needed, which many network file systems lack.
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
_LOOK_SECONDS = 5.0  # a process that waits checks so often whether the owner is a zombie process
EXPIRES_SECONDS = 120.0  # a network file system may show a touch a minute late


class TakenError(Exception):
    """Another process trains the run; the message says which."""


class LostError(Exception):
    """This process no longer holds the lock of a run: the folder is gone, or another process has taken the lock."""


class Lease:
    """The right to write into the folder of a run."""

    def __init__(self, folder: Path, lock: SoftFileLease) -> None:
        self._folder, self._lock = folder, lock

    def check(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            LostError: it does not, and must not write into the folder.
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
    """Hold the lock of a run while the context lasts.

    Args:
        folder: the folder of the run; it is made if it does not exist.
        patience: seconds to wait until another process releases the lock or turns out to be dead; -1 for no limit.

    Raises:
        TakenError: another process holds the lock.
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
    """Return host and number of the process that holds the lock of a run, as text; empty if no process does."""
    owner = _lock(folder).owner
    return f"{owner.hostname}, process {owner.pid}" if owner else ""


def seconds_since_sign(folder: Path) -> float:
    """Return the seconds since the last sign of life of the owner of a run; infinite if it is dead or there is none.

    An owner on this machine is looked up among the processes: 0 if it is alive. For an owner on another machine this is
    the time since the last touch of its lock. Clocks of the machines may differ, so that figure is only for display.
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
    """Return inode and time of a lock file, which change when its owner touches it or another process takes it.

    None if there is no lock.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_dead(folder: Path, silence: float) -> bool:
    """Whether the owner of a lock is dead, in cases where filelock does not take over the lock.

    There are three such cases. filelock takes a zombie process for alive; zombies are common in containers, where no
    parent collects them. It cannot take over a lock on a file system that cannot exchange two names, such as NFS. And
    it does not take over an empty lock, which a machine leaves behind that lost power before it wrote its name.

    Args:
        folder: the folder of the run.
        silence: seconds for which the lock was seen not to change, by the clock of this process.
    """
    owner = _lock(folder).owner
    if owner and owner.hostname == _own_name():
        return not _is_alive(owner.pid)
    return silence > 1.1 * EXPIRES_SECONDS  # a little later than filelock, which comes first where it can


def _remove_lock(folder: Path, seen: tuple[int, int]) -> None:
    """Remove the lock of a dead owner, if it is still the one that was seen."""
    path, aside = folder / LOCK, folder / f".{LOCK}-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        if _read_sign(path) != seen:
            return
        path.rename(aside)
        if _read_sign(aside) != seen:  # another process took the lock over just now, and gets it back
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(aside)
        aside.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    except (PermissionError, psutil.AccessDenied):  # the process belongs to another user
        return True


@functools.cache
def _own_name() -> str:
    """Return the name that filelock gives this machine; in a container it is more than the host name."""
    with TemporaryDirectory() as folder:
        lock = _lock(Path(folder))
        with lock:
            owner = lock.owner
    return owner.hostname if owner else ""


def _lock(folder: Path) -> SoftFileLease:
    return SoftFileLease(folder / LOCK, lease_duration=EXPIRES_SECONDS, heartbeat_interval=BEAT_SECONDS)
