"""Signals that ask to stop: Ctrl-C, the end of a SLURM job's time, a shutdown. What is trained is saved before leaving.

While a run trains, a signal is only noted: the training asks for it between two steps (`raise_if_asked`), so that the
state can be saved first. At any other time the handler raises `Stopped` at once, and notes the signal as well: Python
runs the handler wherever the main thread happens to be, and an exception that is raised within a destructor or a
callback from C is printed and dropped.

Signals belong to the process, and their handlers are called without arguments of ours. So the state is in this module.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# USR1 and USR2 are what SLURM is told to send ahead of a time limit; HUP comes when a terminal is closed.
_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
GRACE_SECONDS = 5.0  # to come to the end of a step; compiling one can take longer

_asked: int | None = None  # the signal that has come
_deferred = False  # whether signals wait for `raise_if_asked`
_grace = GRACE_SECONDS  # for how long they do
_handlers_before: dict[int, Any] = {}  # what to restore, per signal; empty unless within `listening`


class Stopped(KeyboardInterrupt):
    """A signal has asked to stop. It is no fault of the code, so `except Exception` must not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def listening(remembering: bool = False) -> Iterator[None]:
    """Listen to the signals that ask to stop; within another `listening`, or in another thread, do nothing.

    Args:
        remembering: whether a signal that has come still counts in the next `listening` of this process. A worker that
            was told to stop must not begin the next run that it is given.
    """
    global _asked
    if threading.current_thread() is not threading.main_thread() or _handlers_before:
        yield
        return
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # `nohup` means it
            _handlers_before[number] = signal.signal(number, _note)
    _handlers_before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _lose_patience)
    try:
        yield
    finally:
        for number, handler in _handlers_before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        _handlers_before.clear()
        if not remembering:
            _asked = None


@contextlib.contextmanager
def deferring(seconds: float = GRACE_SECONDS) -> Iterator[None]:
    """Let signals wait for `raise_if_asked`, but no longer than some seconds; a second Ctrl-C does not wait.

    Args:
        seconds: time after which `Stopped` is raised anyway.
    """
    global _deferred, _grace
    _deferred, _grace = True, seconds
    try:
        yield
    finally:
        _deferred = False
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while a process is forked, which would otherwise handle them as if it were this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen_anew() -> None:
    """Listen in a process that was forked, within `held_back`: whatever the other one was doing, this one is not."""
    global _deferred
    _deferred = False
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def asked() -> bool:
    """Whether a signal has asked to stop."""
    return _asked is not None


def raise_if_asked() -> None:
    """Raise `Stopped` if a signal has come that was deferred, or whose exception was dropped.

    Raises:
        Stopped: a signal has asked to stop.
    """
    if _asked is not None:
        raise Stopped(_asked)


def hand_over(stop: Stopped) -> bool:
    """Pass a signal on to the handler that was there before, such as submitit's, which queues the job again.

    Returns:
        Whether there was one.
    """
    handler = _handlers_before.get(stop.number)
    if not callable(handler) or handler is signal.default_int_handler:
        return False
    handler(stop.number, None)
    return True


def _note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (what `signal` calls)
    global _asked
    impatient = _asked == number == signal.SIGINT
    _asked = number
    if impatient or not _deferred:
        raise Stopped(number)
    signal.setitimer(signal.ITIMER_REAL, _grace)


def _lose_patience(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (what `signal` calls)
    raise_if_asked()
