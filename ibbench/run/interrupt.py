"""Signals that ask to stop: Ctrl-C, the end of a SLURM job's time, a shutdown. What is trained is saved before leaving.

While a run trains, a signal is only noted: the training asks for it between two steps (`raise_if_asked`), so that the
state can be saved first. At any other time the handler raises `Stopped` at once, and notes the signal as well: Python
runs the handler wherever the main thread happens to be, and an exception that is raised within a destructor or a
callback from C is printed and dropped.

A signal handler belongs to the whole process and cannot be given arguments of ours, so the state is in this module.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# USR1 and USR2 are what SLURM is told to send ahead of a time limit; HUP comes when a terminal is closed.
_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
GRACE_SECONDS = 5.0  # time to finish a step; if it takes longer, such as while it is compiled, `Stopped` is raised

_asked: int | None = None  # number of the signal that has come
_deferred = False  # whether signals wait for `raise_if_asked`
_grace = GRACE_SECONDS  # seconds that they wait
_handlers_before: dict[int, Any] = {}  # handlers to restore, by signal; empty outside of `listening`


class Stopped(KeyboardInterrupt):
    """A signal has asked to stop. Since it is no error, `except Exception` must not catch it.

    Attributes:
        number: number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def listening(remembering: bool = False) -> Iterator[None]:
    """Listen to the signals that ask to stop; within another `listening`, or in another thread, do nothing.

    Args:
        remembering: whether a signal still counts after this `listening` has ended. A worker that was told to stop must
            not begin another run.
    """
    global _asked
    if threading.current_thread() is not threading.main_thread() or _handlers_before:
        yield
        return
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # `nohup` asks to ignore SIGHUP
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
    """Only note signals while the context lasts; the next `raise_if_asked` raises them.

    They are raised at once after some seconds, and by a second Ctrl-C.

    Args:
        seconds: time after a signal at which `Stopped` is raised anyway.
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
    """Block signals while a process is forked: the new process would otherwise handle them as if it were this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen_anew() -> None:
    """Let a process that was forked within `held_back` receive signals, and forget that its parent deferred them."""
    global _deferred
    _deferred = False
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def asked() -> bool:
    """Whether a signal has asked to stop."""
    return _asked is not None


def raise_if_asked() -> None:
    """Raise `Stopped` if a signal has come meanwhile: it was deferred, or Python dropped its exception.

    Raises:
        Stopped: a signal has asked to stop.
    """
    if _asked is not None:
        raise Stopped(_asked)


def hand_over(stop: Stopped) -> bool:
    """Pass a signal on to the handler that was set before `listening`, such as submitit's, which queues the job again.

    Args:
        stop: the exception of the signal.

    Returns:
        Whether there was such a handler.
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
