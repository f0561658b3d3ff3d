"""The training's side of tracking: it sends messages to the office of trackers, and goes on if that fails."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import ProcessError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, NamedTuple

from ibbench.options.words import Tracker
from ibbench.terminal import say
from ibbench.track.content import STOPPED, Card, Outcome, Point

_ADDRESS = "IBBENCH_OFFICE"  # environment variable with the office's address, for processes that this one starts
_END_SECONDS = 60.0  # longest time for which a training waits at its end until the trackers have written everything


class Answer(NamedTuple):
    """The answer of the office after the end of a run.

    Attributes:
        failures: the reason why the run is missing, or incomplete, in each tracker that has failed.
        places: the place where the run can be seen in each other tracker, in words.
    """

    failures: dict[Tracker, str]
    places: dict[Tracker, str]


class Line:
    """The connection of this process to the office. No method raises.

    Args:
        connection: the connection; None if there is no office.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def send(self, *message: Any) -> None:
        """Send a message; nothing happens if the office has ended."""
        try:
            if self._connection:
                self._connection.send(message)
        except OSError:
            self._connection = None

    def listen(self, seconds: float | None = 0.0) -> tuple[Any, ...] | None:
        """Return the next message of the office; None if none comes within some seconds, or the office has ended.

        Args:
            seconds: the time to wait at most; None for as long as it takes.
        """
        try:
            if self._connection and (seconds is None or self._connection.poll(seconds)):
                message: tuple[Any, ...] = self._connection.recv()
                return message
        except (OSError, EOFError):
            self._connection = None
        return None

    @property
    def is_open(self) -> bool:
        """Whether the office is still running, as far as is known."""
        return self._connection is not None


class Follower:
    """Reports one run to its trackers. No method raises, and only `end` waits for trackers.

    Args:
        study: the folder of the study.
        run: the name of the run.
        trackers: the trackers; if there are none, methods do nothing.
        warn: a function that is called with a tracker and a reason when that tracker fails for the first time; None for
            one that prints a warning.
    """

    def __init__(
        self,
        study: Path,
        run: str,
        trackers: Sequence[Tracker],
        warn: Callable[[Tracker, str], None] | None = None,
    ) -> None:
        self._key, self._trackers = (str(study.absolute()), run), list(trackers)
        self._warn = warn or functools.partial(_warn, study)

    def begin(self, card: Callable[[], Card], place: str | None = None) -> None:
        """Report the beginning of the run.

        Args:
            card: a function that returns the description of the run; it is called only if there are trackers.
            place: the folder, file or address where trackers keep journals; None for their own settings.
        """
        if self._trackers:
            open_office()
            _line(os.getpid()).send("begin", self._key, card(), self._trackers, place)

    def report(self, points: Callable[[], list[Point]]) -> None:
        """Report points of the run's curves; points that were reported before are ignored.

        Args:
            points: a function that returns the points; it is called only if there are trackers.
        """
        if self._trackers:
            line = _line(os.getpid())
            line.send("points", self._key, points())
            while message := line.listen():
                if message[0] == "failed":
                    self._warn(*message[1:])

    def end(self, outcome: Outcome, seconds: float | None = _END_SECONDS) -> Answer:
        """Report the outcome of the run, and wait until the trackers have written it.

        Args:
            outcome: the outcome.
            seconds: the time to wait at most; None for as long as it takes.

        Returns:
            The answer of the office; if none has come in time, all trackers count as failed.
        """
        if not self._trackers:
            return Answer({}, {})
        line, deadline = _line(os.getpid()), None if seconds is None else time.monotonic() + seconds
        line.send("end", self._key, outcome)
        while message := line.listen(None if deadline is None else max(0.0, deadline - time.monotonic())):
            if message[0] == "failed":
                self._warn(*message[1:])
            elif message[1] == self._key:
                return Answer(*message[2:])
        reason = f"not done after {seconds:g} seconds" if line.is_open else "the process of the trackers has ended"
        if seconds != 0:
            for name in self._trackers:
                self._warn(name, reason)
        return Answer(dict.fromkeys(self._trackers, reason), {})

    @contextlib.contextmanager
    def following(self, card: Callable[[], Card]) -> Iterator[list[Outcome]]:
        """Report the beginning and the end of a training, which is the block of this context.

        Args:
            card: a function that returns the description of the run.

        Yields:
            An empty list, to which the block appends the outcome. If the list is still empty at the end, the run is
            reported as stopped.
        """
        self.begin(card)
        outcome: list[Outcome] = []
        try:
            yield outcome
        finally:
            if outcome:
                self.end(outcome[0])
            else:  # a signal has stopped the training, so there is no time to wait
                self.end(STOPPED, 0.0)


def _warn(study: Path, name: Tracker, reason: str) -> None:
    if name not in _warned(study):
        _warned(study).add(name)
        say(
            f"{name.value} does not get everything: {reason.rstrip('.')}. The training goes on; afterwards "
            f"`ibbench export {study} --to {name.value}` sends what is missing"
        )


@functools.cache
def _warned(study: Path) -> set[Tracker]:  # noqa: ARG001 (one warning for each tracker and study)
    return set()


def open_office() -> None:
    """Start the process of the trackers, unless this process or one that it comes from has done so."""
    if os.environ.get(_ADDRESS) and _line(os.getpid()).is_open:
        return
    with contextlib.suppress(OSError):
        os.environ[_ADDRESS] = _start()
        _line.cache_clear()


def close_office(seconds: float | None = None) -> None:
    """Ask the process of the trackers to write what it still has, and to end.

    Args:
        seconds: the time to wait for its end at most; None for as long as it takes.
    """
    _line.cache_clear()
    while _offices():
        office = _offices().pop()
        assert office.stdin
        office.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            office.wait(seconds)
    os.environ.pop(_ADDRESS, None)


@functools.cache
def _offices() -> list[subprocess.Popen[str]]:
    atexit.register(close_office, 1.0)
    return []


def _start() -> str:
    """Start the process of the trackers; return the key to its socket and the socket's address, as one text."""
    office = subprocess.Popen(
        [sys.executable, "-m", "ibbench.track.office"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # so that no signal of the terminal reaches it: it ends when its input ends
    )
    _offices().append(office)
    key = secrets.token_hex(16)
    assert office.stdin and office.stdout
    office.stdin.write(f"{key}\n")
    office.stdin.flush()
    with office.stdout as said:
        return f"{key} {said.readline().strip()}"


@functools.cache
def _line(pid: int) -> Line:  # noqa: ARG001 (a forked process has a connection of its own)
    key, _, address = os.environ.get(_ADDRESS, "").partition(" ")
    try:
        return Line(Client(address, authkey=bytes.fromhex(key)) if address else None)
    except (OSError, EOFError, ValueError, ProcessError):
        return Line(None)
