"""Processes that train runs side by side for one command, each in one thread.

They are forked when the data set is loaded and the compiler imported, so that all share one copy of these, and take
one run after another; when no run is left to be begun, they help with the packs of those that have several. What they
print and how far they are goes to the command, which has the terminal. A worker that dies takes the run with it that
it was at; another one takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from multiprocessing.connection import wait
from typing import Any, NamedTuple, cast

from ibbench.plugins.load import loaded_plugins
from ibbench.record.folder import record_age
from ibbench.record.lease import describe_owner
from ibbench.run.execute import note_death
from ibbench.run.interrupt import asked, deferring, held_back, raise_if_asked
from ibbench.run.plan import Point
from ibbench.sweep.point import Outcome
from ibbench.sweep.worker import work
from ibbench.terminal import LiveLine, LiveLines, say, terminal
from ibbench.track.follow import open_office
from ibbench.training.device import count_cores
from ibbench.training.packs import list_replicas, split_into_packs

# A forked process has what this one has loaded. Elsewhere than on Linux a fork is not safe, and each loads it itself.
_CONTEXT = cast(Any, multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn"))
_SAVE_SECONDS = 9.0  # that workers get to end a step and save its state, before they are killed
_LOOK_SECONDS = 0.2  # between two looks whether a signal has come


class Assignment(NamedTuple):
    """A point to run.

    Attributes:
        number: its place among the points of the sweep.
        point: the run.
        pack_size: how many of its replicas train at once.
    """

    number: int
    point: Point
    pack_size: int

    @property
    def num_packs(self) -> int:
        """How many packs it has."""
        return len(split_into_packs(list_replicas(self.point.config), self.pack_size))


def train_side_by_side(tasks: list[Assignment], num_workers: int) -> dict[int, Outcome]:
    """Train points in processes of their own, some at a time.

    Args:
        tasks: what to train, in the order in which they are begun.
        num_workers: how many train at a time.

    Returns:
        What became of each, by its number.

    Raises:
        Stopped: a signal has asked to stop; the workers have saved what they were at, and are gone.
    """
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(max(1, count_cores() // num_workers)))
    if any(task.point.config.log for task in tasks):
        open_office()  # one for all workers
    _import_compiler(any(task.point.resolved.trainer.compile is True for task in tasks))
    queue, outcomes = _Queue(tasks), dict[int, Outcome]()
    workers: list[_Worker] = []
    try:
        with deferring(_SAVE_SECONDS), LiveLines(terminal()) as lines:
            while len(outcomes) < len(tasks) and not asked():
                workers = [worker for worker in workers if worker.is_alive]
                for worker in workers:
                    if not worker.is_busy and (order := queue.next(workers)):
                        worker.take(order)
                while len(workers) < num_workers and (order := queue.next(workers)):
                    workers.append(_Worker(lines))
                    workers[-1].take(order)
                for worker in _speaking(workers):
                    if ended := worker.listen():
                        order, outcome = ended
                        outcomes |= queue.end(order, outcome)
            for worker in workers:
                worker.dismiss(at_once=asked())
            while any(worker.is_alive for worker in workers):
                for worker in _speaking(workers):
                    worker.listen()
    finally:
        for worker in workers:
            worker.kill()
    raise_if_asked()
    return outcomes


class _Order(NamedTuple):
    """What a worker is to do: train a run, or help the worker that does.

    `age` is what `record_age` said of the run before it was begun, `owner` the worker to be helped.
    """

    task: Assignment
    age: int
    owner: str = ""


class _Queue:
    """What is left to be done.

    Args:
        tasks: the runs, in the order in which they are begun.
    """

    def __init__(self, tasks: list[Assignment]) -> None:
        self._left = deque(tasks)
        self._divided: dict[int, _Order] = {}  # that are at work, and may have packs that nobody is at

    def next(self, workers: list[_Worker]) -> _Order | None:
        """Return what a worker that is free is to do, beside those that there are; None if there is nothing."""
        if self._left:
            task = self._left.popleft()
            order = _Order(task, record_age(task.point.folder))
            if task.num_packs > 1:
                self._divided[task.number] = order
            return order
        ours = {str(worker.process.pid) for worker in workers}
        for order in self._divided.values():
            owner = describe_owner(order.task.point.folder)
            if owner.rpartition(" ")[2] in ours:
                return order._replace(owner=owner)
        return None

    def end(self, order: _Order, outcome: Outcome) -> dict[int, Outcome]:
        """Note that an order was carried out; return what became of its run if that is over."""
        self._divided.pop(order.task.number, None)  # a helper, too, leaves no pack that nobody has begun
        return {} if order.owner else {order.task.number: outcome}


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
        lines: those of the terminal.

    Attributes:
        process: its process.
        connection: to it.
        is_alive: whether it has not ended.
    """

    def __init__(self, lines: LiveLines) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=work, args=(theirs,))
        with held_back():
            self.process.start()
        theirs.close()
        self.is_alive = True
        self._lines = lines
        self._order: _Order | None = None
        self._line: LiveLine | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it has something to do."""
        return self._order is not None

    def take(self, order: _Order) -> None:
        """Give it something to do."""
        self._order = order
        # Not the config itself: where processes are not forked, none can be read before its plugins are loaded.
        config = order.task.point.config.model_dump_json()
        self._send((loaded_plugins(), config, order.task.pack_size, order.age, order.owner))

    def dismiss(self, at_once: bool) -> None:
        """Have it end, at once by the signal that has it save what it is at."""
        if at_once:
            self.process.terminate()
        else:
            self._send(None)

    def listen(self) -> tuple[_Order, Outcome] | None:
        """Show what it has sent, and note if it has ended; return its order if that is over, and what became of it."""
        ended = None
        with contextlib.suppress(EOFError, OSError):  # it has ended, in the middle of a message or not
            while self.connection.poll():
                kind, *content = self.connection.recv()
                if kind == "over":
                    ended = self._put_down(*content)
                else:
                    self._show(kind, *content)
        if not self.process.is_alive():
            self.process.join()
            self.is_alive = False
            self._end_line()
            if self._order and not asked():
                if not self._order.owner:  # or the process that it has helped goes on from where it was
                    note_death(self._order.task.point, f"its process {_describe_end(self.process.exitcode)}")
                ended = self._put_down("failed")
        return ended

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

    def _put_down(self, outcome: Outcome) -> tuple[_Order, Outcome]:
        order, self._order = self._order, None
        assert order
        return order, outcome

    def _show(self, kind: str, *content: Any) -> None:
        match kind:
            case "say":
                say(*content)
            case "complain":
                print(*content, file=sys.stderr)  # noqa: T201
            case "begin":
                self._line = self._lines.begin(*content)
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
