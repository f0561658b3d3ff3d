"""The office: the process in which trackers run, each in a thread of its own.

Trainings send messages to it, so that a tracker that fails, hangs or crashes costs a training nothing. The messages go
over a local socket. `key` is the folder of the study and the name of the run:

- `("begin", key, card, names, place)`: a run begins, with these trackers.
- `("points", key, points)`: points of a run, from any process that trains a part of it. Points that came before are
  dropped.
- `("end", key, outcome)`: a run ends. The answer, when all trackers have written it, is
  `("ended", key, failures, places)`.
- `("failed", tracker, reason)`: the office sends this for the first failure of each tracker, to the process that has
  begun the run.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection, Listener
from typing import Any, NamedTuple

from ibbench.errors import shorten
from ibbench.options.words import Tracker
from ibbench.track import Journal, Keeper, get_keeper
from ibbench.track.content import STOPPED, Card, Outcome, Point

_LAST_SECONDS = 30.0  # longest time for which each tracker may go on writing when the command has ended
_LONGEST = 200  # letters of a reason

Key = tuple[str, str]  # the folder of a study, and a run


class _Client:
    """A process that trains, and is connected to the office.

    Args:
        connection: the connection to the process.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, *message: Any) -> None:
        """Send a message to the process; nothing happens if the process has ended."""
        with contextlib.suppress(OSError), self._lock:
            self.connection.send(message)


class _Task(NamedTuple):
    kind: str
    key: Key
    content: Any
    client: _Client


class _Desk:
    """One tracker, with a thread that writes the journals of all runs in the order of the messages.

    Args:
        name: the name of the tracker.
        place: the folder, file or address where it keeps journals; None for its own settings.
    """

    def __init__(self, name: Tracker, place: str | None) -> None:
        self.name = name
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._place = place
        self._keeper: Keeper | None = None
        self._journals: dict[Key, Journal] = {}
        self._failures: dict[Key, str] = {}
        self._has_told = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        for task in self._next_tasks():
            try:
                self._do(task)
            except BaseException as error:  # any fault of a tracker's package, even SystemExit
                self._note(task, error)
            if task.kind == "end":
                journal = self._journals.pop(task.key, None)
                failure = self._failures.pop(task.key, None)
                task.content.note(self.name, failure, journal.where if journal else "")
        for journal in self._journals.values():  # journals of runs whose process has died
            with contextlib.suppress(Exception):
                journal.end(STOPPED)

    def _next_tasks(self) -> Iterator[_Task]:
        """Yield tasks as they come; points of one run that came while the tracker was busy are joined into one task."""
        while (task := self.tasks.get()) is not None:
            after: _Task | None = task
            while task.kind == "points" and not self.tasks.empty():
                after = self.tasks.get()
                if after is None or (after.kind, after.key) != ("points", task.key):
                    break
                task = task._replace(content=[*task.content, *after.content])
                after = task
            yield task
            if after is None:
                return
            if after is not task:
                yield after

    def _do(self, task: _Task) -> None:
        if task.kind == "begin":
            self._failures.pop(task.key, None)
            if self._keeper is None:
                self._keeper = get_keeper(self.name, self._place)
            self._journals[task.key] = self._keeper.begin(task.content)
        elif task.key in self._journals and task.key not in self._failures:
            if task.kind == "points":
                self._journals[task.key].write(task.content)
            else:
                self._journals[task.key].end(task.content.outcome)

    def _note(self, task: _Task, error: BaseException) -> None:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        self._failures[task.key] = reason = shorten(lines[0], _LONGEST)
        if not self._has_told:
            self._has_told = True
            task.client.send("failed", self.name, reason)


class _End:
    """The end of a run, which is answered when all trackers of the run have written it.

    Args:
        key: the folder of the study, and the name of the run.
        outcome: the outcome of the run.
        client: the process that waits for the answer.
        count: the number of trackers.
    """

    def __init__(self, key: Key, outcome: Outcome, client: _Client, count: int) -> None:
        self.outcome = outcome
        self._key, self._client, self._left = key, client, count
        self._failures: dict[Tracker, str] = {}
        self._places: dict[Tracker, str] = {}
        self._lock = threading.Lock()
        self._answer()

    def note(self, name: Tracker, failure: str | None, where: str) -> None:
        """Note that a tracker has written the end of the run, or has failed.

        Args:
            name: the tracker.
            failure: the reason why the run is missing, or incomplete; None if all was written.
            where: the place where the run can be seen, in words.
        """
        with self._lock:
            self._left -= 1
            if failure is None:
                self._places[name] = where
            else:
                self._failures[name] = failure
            self._answer()

    def _answer(self) -> None:
        if not self._left:
            self._client.send("ended", self._key, self._failures, self._places)


class _Run(NamedTuple):
    """A run that has begun: its trackers, the process that has begun it, and the names and steps of its points."""

    desks: list[_Desk]
    client: _Client
    seen: set[tuple[str, int]]


class Office:
    """The runs that have begun, and the trackers that write them."""

    def __init__(self) -> None:
        self._desks: dict[tuple[Tracker, str | None], _Desk] = {}
        self._runs: dict[Key, _Run] = {}
        self._lock = threading.Lock()

    def serve(self, connection: Connection) -> None:
        """Take the messages of one process until it ends. This does not wait for trackers.

        Args:
            connection: the connection to the process.
        """
        client = _Client(connection)
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, key, *content = connection.recv()
                with self._lock:
                    self._take(kind, key, content, client)

    def _take(self, kind: str, key: Key, content: list[Any], client: _Client) -> None:
        if kind == "begin":
            card, names, place = content
            self._begin(key, card, names, place, client)
        elif kind == "points" and (run := self._runs.get(key)):
            points = [point for point in content[0] if (point.name, point.step) not in run.seen]
            run.seen.update((point.name, point.step) for point in points)
            if points:
                self._hand_out("points", key, points, run)
        elif kind == "end":
            run = self._runs.pop(key, None)
            end = _End(key, content[0], client, len(run.desks) if run else 0)
            if run:
                self._hand_out("end", key, end, run)

    def _begin(self, key: Key, card: Card, names: list[Tracker], place: str | None, client: _Client) -> None:
        desks = []
        for name in names:
            if (name, place) not in self._desks:
                self._desks[name, place] = _Desk(name, place)
            desks.append(self._desks[name, place])
        self._runs[key] = _Run(desks, client, set())
        self._hand_out("begin", key, card, self._runs[key])

    def _hand_out(self, kind: str, key: Key, content: Card | list[Point] | _End, run: _Run) -> None:
        for desk in run.desks:
            desk.tasks.put(_Task(kind, key, content, run.client))

    def close(self) -> None:
        """Let each tracker finish what it has to write, for 30 seconds at most."""
        for desk in self._desks.values():
            desk.tasks.put(None)
        for desk in self._desks.values():
            desk.thread.join(_LAST_SECONDS)


def main() -> None:
    """Run the office: read the key, print the address of the socket, serve, and end when the input ends.

    The input is a pipe from the command, and ends with it.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)  # the cores are for training
    authkey = bytes.fromhex(sys.stdin.readline())
    office = Office()
    with Listener(authkey=authkey) as listener:
        sys.stdout.write(f"{listener.address}\n")
        sys.stdout.close()
        threading.Thread(target=_accept, args=(listener, office), daemon=True).start()
        sys.stdin.read()
        office.close()
    os._exit(0)  # a normal exit would wait for threads of trackers that hang


def _accept(listener: Listener, office: Office) -> None:
    while True:
        with contextlib.suppress(Exception):  # the other process lacks the key, or has ended already
            connection = listener.accept()
            threading.Thread(target=office.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
