"""The side of a training: it tells the office of trackers what happens, and goes on whatever becomes of that."""

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

_ADDRESS = "IBBENCH_OFFICE"  # the environment variable that has processes started from this one talk to its office
_END_SECONDS = 60.0  # that a training waits for the trackers to have the last of it


class Answer(NamedTuple):
    """What became of a run in its trackers.

    Attributes:
        failures: why it is not, or not whole, in some.
        places: where it can be seen in the others.
    """

    failures: dict[Tracker, str]
    places: dict[Tracker, str]


class Line:
    """The connection of this process to the office. Nothing here raises.

    Args:
        connection: to the office.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def send(self, *message: Any) -> None:
        """Send a message, unless the office is gone."""
        try:
            if self._connection:
                self._connection.send(message)
        except OSError:
            self._connection = None

    def listen(self, seconds: float | None = 0.0) -> tuple[Any, ...] | None:
        """Return what the office says; None if that is nothing in this time."""
        try:
            if self._connection and (seconds is None or self._connection.poll(seconds)):
                message: tuple[Any, ...] = self._connection.recv()
                return message
        except (OSError, EOFError):
            self._connection = None
        return None

    @property
    def is_open(self) -> bool:
        """Whether the office is there."""
        return self._connection is not None


class Follower:
    """Tells trackers of one run. Nothing here raises, or waits for a tracker but at the end of a run.

    Args:
        study: the folder of its study.
        run: its name.
        trackers: which; none for nothing to tell.
        warn: a function that is called with the first failure of each tracker; None for one that prints it.
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
        """Tell who the run is.

        Args:
            card: a function that says it.
            place: where trackers keep their journals; None for their own settings.
        """
        if self._trackers:
            open_office()
            _line(os.getpid()).send("begin", self._key, card(), self._trackers, place)

    def report(self, points: Callable[[], list[Point]]) -> None:
        """Tell points of its curves; those that were told before do no harm.

        Args:
            points: a function that returns them.
        """
        if self._trackers:
            line = _line(os.getpid())
            line.send("points", self._key, points())
            while message := line.listen():
                if message[0] == "failed":
                    self._warn(*message[1:])

    def end(self, outcome: Outcome, seconds: float | None = _END_SECONDS) -> Answer:
        """Tell what the run came to, and wait until the trackers have it.

        Args:
            outcome: what it came to.
            seconds: to wait for at most; None for as long as it takes.
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
        """Tell the begin of a training, and its end: the outcome that is in the list then, or that it has stopped."""
        self.begin(card)
        outcome: list[Outcome] = []
        try:
            yield outcome
        finally:
            if outcome:
                self.end(outcome[0])
            else:  # by a signal, after which there is no time to wait
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
    """Start the process of the trackers, unless this process or the one that started it has done so."""
    if os.environ.get(_ADDRESS) and _line(os.getpid()).is_open:
        return
    with contextlib.suppress(OSError):
        os.environ[_ADDRESS] = _start()
        _line.cache_clear()


def close_office(seconds: float | None = None) -> None:
    """Have the process of the trackers end, when it has sent what it has.

    Args:
        seconds: to wait for that at most; None for as long as it takes.
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
    """Start the process; return where its socket is, and the key to it."""
    office = subprocess.Popen(
        [sys.executable, "-m", "ibbench.track.office"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # no signal of the terminal is for it: it ends with its input
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
