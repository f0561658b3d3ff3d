"""Processes that train runs side by side for one command, each in one thread.

They are forked when the data set is loaded and the compiler imported, so that all share one copy of these, and take
one run after another. What they print and how far they are goes to the command, which has the terminal. A worker that
dies takes the run with it that it was at; another one takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self, cast

import torch
from rich.progress import Progress

from ibbench.run.execute import note_death
from ibbench.run.interrupt import Stopped, asked, deferring, held_back, listen_anew, listening, raise_if_asked
from ibbench.run.pack import Place
from ibbench.run.plan import Point
from ibbench.sweep.point import Outcome, run_point
from ibbench.terminal import LiveLine, live_bars, say, terminal
from ibbench.training.device import count_cores

# A forked process has what this one has loaded. Elsewhere than on Linux a fork is not safe, and each loads it itself.
_CONTEXT = cast(Any, multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn"))
_SAVE_SECONDS = 9.0  # that workers get to end a step and save its state, before they are killed
_LOOK_SECONDS = 0.2  # between two looks whether a signal has come


def train_side_by_side(points: list[Point], num_workers: int) -> list[Outcome]:
    """Train points in processes of their own, some at a time.

    Args:
        points: what to train, in the order in which they are begun.
        num_workers: how many train at a time.

    Returns:
        What became of each.

    Raises:
        Stopped: a signal has asked to stop; the workers have saved what they were at, and are gone.
    """
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(max(1, count_cores() // num_workers)))
    _import_compiler(any(point.resolved.trainer.compile is True for point in points))
    left, outcomes = deque(enumerate(points)), dict[int, Outcome]()
    workers: list[_Worker] = []
    try:
        with deferring(_SAVE_SECONDS), live_bars(terminal()) as bars:
            while len(outcomes) < len(points) and not asked():
                workers = [worker for worker in workers if worker.is_alive]
                while left and len(workers) < num_workers and all(worker.number is not None for worker in workers):
                    workers.append(_Worker(num_workers, bars))
                    workers[-1].take(*left.popleft())
                for worker in _speaking(workers):
                    outcomes |= worker.listen()
                    if worker.is_alive and worker.number is None and left:
                        worker.take(*left.popleft())
            for worker in workers:
                worker.dismiss(at_once=asked())
            while any(worker.is_alive for worker in workers):
                for worker in _speaking(workers):
                    worker.listen()
    finally:
        for worker in workers:
            worker.kill()
    raise_if_asked()
    return [outcomes[number] for number in range(len(points))]


def _import_compiler(compiles: bool) -> None:
    """Import what each worker would otherwise import by itself, for seconds; torch's optimizers take most of it."""
    import torch._dynamo

    if compiles:
        import torch._inductor.compile_fx
        import torch.fx.experimental.proxy_tensor  # noqa: F401
    gc.collect()
    gc.freeze()  # or the workers' garbage collectors would touch, and so copy, all of it


def _speaking(workers: list[_Worker]) -> list[_Worker]:
    """Return the workers that have sent something or ended, if need be after a short wait."""
    alive = [worker for worker in workers if worker.is_alive]
    signs = {sign: worker for worker in alive for sign in (worker.connection, worker.process.sentinel)}
    return list(dict.fromkeys(signs[sign] for sign in wait(list(signs), _LOOK_SECONDS)))


class _Worker:
    """A worker, as the command sees it.

    Args:
        num_workers: how many there are.
        bars: those of the terminal.

    Attributes:
        process: its process.
        connection: to it.
        number: of the point that it is at; None between two points.
        is_alive: whether it has not ended.
    """

    def __init__(self, num_workers: int, bars: Progress) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(theirs, num_workers))
        with held_back():
            self.process.start()
        theirs.close()
        self.number: int | None = None
        self.is_alive = True
        self._bars = bars
        self._point: Point | None = None
        self._line: LiveLine | None = None

    def take(self, number: int, point: Point) -> None:
        """Give it a point to run."""
        self.number, self._point = number, point
        self._send(point.config)

    def dismiss(self, at_once: bool) -> None:
        """Have it end, at once by the signal that has it save what it is at."""
        if at_once:
            self.process.terminate()
        else:
            self._send(None)

    def listen(self) -> dict[int, Outcome]:
        """Show what it has sent, and note if it has ended; return what became of its point if that is over."""
        outcome: dict[int, Outcome] = {}
        with contextlib.suppress(EOFError, OSError):  # it has ended, in the middle of a message or not
            while self.connection.poll():
                kind, *content = self.connection.recv()
                if kind == "over":
                    outcome = self._put_down(*content)
                else:
                    self._show(kind, *content)
        if not self.process.is_alive():
            self.process.join()
            self.is_alive = False
            self._end_line()
            if self._point and not asked():
                note_death(self._point, f"its process {_describe_end(self.process.exitcode)}")
                outcome = self._put_down("failed")
        return outcome

    def kill(self) -> None:
        """Have it end whatever it is at."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()
        self._end_line()

    def _send(self, task: Any) -> None:
        with contextlib.suppress(OSError):  # it has ended, as `listen` finds out
            self.connection.send(task)

    def _put_down(self, outcome: Outcome) -> dict[int, Outcome]:
        assert self.number is not None
        number, self.number, self._point = self.number, None, None
        return {number: outcome}

    def _show(self, kind: str, *content: Any) -> None:
        match kind:
            case "say":
                say(*content)
            case "complain":
                print(*content, file=sys.stderr)  # noqa: T201
            case "begin":
                name, total = content
                self._line = LiveLine(terminal(), name, total, self._bars)
            case "show" if self._line:
                self._line.show(*content)
            case "end":
                self._end_line()

    def _end_line(self) -> None:
        if self._line:
            self._line.__exit__(None, None, None)
            self._line = None


def _describe_end(exit_code: int) -> str:
    if exit_code >= 0:
        return "was told to stop" if exit_code == 0 else f"ended with exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    hint = ", as happens where memory runs out: `workers` says how many train at a time"
    return f"was ended by {name}{hint if -exit_code == signal.SIGKILL else ''}"


def _work(connection: Connection, num_workers: int) -> None:
    """Run the points that the command sends, until it sends none, ends, or a signal comes."""
    with contextlib.suppress(Stopped, EOFError, OSError), listening(remembering=True):
        threading.Thread(target=_end_with_the_command, daemon=True).start()
        send = _sender(connection)
        sys.stdout, sys.stderr = _Lines(send, "say"), _Lines(send, "complain")
        terminal.cache_clear()
        torch.set_num_threads(1)
        place = Place(lambda name, total: _SentLine(send, name, total), num_workers)
        listen_anew()
        raise_if_asked()
        while (config := connection.recv()) is not None:
            send("over", run_point(config, place))


def _end_with_the_command() -> None:
    """Wait for the end of the command, and then save what is trained and end, too."""
    command = multiprocessing.parent_process()
    assert command
    wait([command.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _sender(connection: Connection) -> Callable[..., None]:
    """Return what sends a message to the command; where that has ended, it is dropped."""

    def send(*message: Any) -> None:
        with contextlib.suppress(OSError):
            connection.send(message)

    return send


class _SentLine:
    """A line about something that takes long, as `LiveLine`, which the command shows.

    Args:
        send: a function that sends a message to the command.
        name: what it is about.
        total: the number of parts that it has to do.
    """

    def __init__(self, send: Callable[..., None], name: str, total: int) -> None:
        self.total = total
        self._send, self._name = send, name

    def __enter__(self) -> Self:
        self._send("begin", self._name, self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send("end")

    def show(self, done: int, text: str, is_last: bool) -> None:
        """Show how many parts are done, and a few words."""
        self._send("show", done, text, is_last)


class _Lines(io.TextIOBase):
    """Sends what is printed to the command, line by line.

    Args:
        send: a function that sends a message.
        kind: what the messages are called.
    """

    def __init__(self, send: Callable[..., None], kind: str) -> None:
        self._send, self._kind = send, kind
        self._rest = ""

    def write(self, text: str) -> int:
        """Send the lines that are whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._send(self._kind, line)
        return len(text)
