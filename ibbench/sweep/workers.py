"""Processes that train runs side by side for one command, each in one thread.

The processes (workers) are forked after the data set is loaded and the compiler is imported, so that all share one copy
of these. Each worker trains one run after another. When all runs have begun, free workers help with runs that have
several packs. What a worker prints and how far it is goes to the command, which owns the terminal. If a worker dies,
the run that it was training fails, and a new worker takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
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

# A forked process shares what this one has loaded. Forking is safe on Linux only; elsewhere each worker loads it anew,
# as it must where this process has used a GPU (https://docs.pytorch.org/docs/stable/notes/multiprocessing.html).
_CONTEXT = cast(Any, multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn"))
_FOR_GPUS = cast(Any, multiprocessing.get_context("spawn"))
_SAVE_SECONDS = 9.0  # time for workers to end a step and save their state, before they are killed
_LOOK_SECONDS = 0.2  # between two checks whether a signal has come


class Assignment(NamedTuple):
    """A point that is to be trained.

    Attributes:
        number: the place of the point in the sweep, from 0.
        point: the planned point.
        pack_size: number of replicas that train at once.
    """

    number: int
    point: Point
    pack_size: int

    @property
    def num_packs(self) -> int:
        """The number of packs of the run."""
        return len(split_into_packs(list_replicas(self.point.config), self.pack_size))


def train_side_by_side(tasks: list[Assignment], num_workers: int, gpus: Sequence[str] = ()) -> dict[int, Outcome]:
    """Train points in processes of their own, some at a time.

    Args:
        tasks: the points to train, in the order in which they begin.
        num_workers: number of processes that train at a time.
        gpus: the devices of these processes, such as `cuda:1`, one for each; none to train on the CPU.

    Returns:
        The outcome of each point, by its place in the sweep.

    Raises:
        Stopped: a signal has asked to stop; the workers have saved their states and ended.
    """
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(max(1, count_cores() // num_workers)))
    if any(task.point.config.log for task in tasks):
        open_office()  # one for all workers
    if not gpus:
        _import_compiler(any(task.point.resolved.trainer.compile for task in tasks))
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
                    taken = {worker.gpu for worker in workers}
                    workers.append(_Worker(lines, next((gpu for gpu in gpus if gpu not in taken), "")))
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
    """An order to a worker: train a run, or help another worker that trains it.

    Attributes:
        task: the point to train.
        age: result of `record_age` for the run before it began.
        owner: result of `describe_owner`, naming the worker to help; empty if this worker is to train the run itself.
    """

    task: Assignment
    age: int
    owner: str = ""


class _Queue:
    """The orders that are still to be given to workers.

    Args:
        tasks: the points to train, in the order in which they begin.
    """

    def __init__(self, tasks: list[Assignment]) -> None:
        self._left = deque(tasks)
        self._divided: dict[int, _Order] = {}  # runs in training whose packs may need helpers, by number

    def next(self, workers: list[_Worker]) -> _Order | None:
        """Return the next order for a free worker; None if there is nothing to do.

        Args:
            workers: all workers, of which one may own a run that needs help.
        """
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
        """Note that an order was carried out; return the outcome of its run, by number, if that is over."""
        self._divided.pop(order.task.number, None)  # after a helper is done, every pack has begun, too
        return {} if order.owner else {order.task.number: outcome}


def _import_compiler(compiles: bool) -> None:
    """Import modules that each worker would otherwise spend seconds on; torch's optimizers take most of that time."""
    import torch._dynamo

    if compiles:
        import torch._inductor.compile_fx
        import torch.fx.experimental.proxy_tensor  # noqa: F401
    gc.collect()
    gc.freeze()  # otherwise the garbage collectors of the workers would touch this memory, and so copy it


def _speaking(workers: list[_Worker]) -> list[_Worker]:
    """Return the workers that have sent a message or ended; wait a short time if there is none."""
    alive = [worker for worker in workers if worker.is_alive]
    signs = {sign: worker for worker in alive for sign in (worker.connection, worker.process.sentinel)}
    return list(dict.fromkeys(signs[sign] for sign in wait(list(signs), _LOOK_SECONDS)))


class _Worker:
    """A worker process, on the side of the command.

    Args:
        lines: lines of progress on the terminal.
        gpu: the device that it trains on, such as `cuda:1`; empty for the CPU.

    Attributes:
        gpu: that device.
        process: the process of the worker.
        connection: pipe to the worker.
        is_alive: whether the worker has not ended yet.
    """

    def __init__(self, lines: LiveLines, gpu: str) -> None:
        self.gpu = gpu
        context = _FOR_GPUS if gpu else _CONTEXT
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,))
        with held_back():
            self.process.start()
        theirs.close()
        self.is_alive = True
        self._lines = lines
        self._order: _Order | None = None
        self._line: LiveLine | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the worker carries out an order."""
        return self._order is not None

    def take(self, order: _Order) -> None:
        """Send an order to the worker, which must be free."""
        self._order = order
        # Not the config itself: where processes are not forked, none can be read before its plugins are loaded.
        config = order.task.point.config
        if self.gpu:  # which GPU trains a run is no part of its name
            config = config.model_copy(update={"device": self.gpu})
        self._send((loaded_plugins(), config.model_dump_json(), order.task.pack_size, order.age, order.owner))

    def dismiss(self, at_once: bool) -> None:
        """Have the worker end: after its order, or at once, by a signal that has it save its state first."""
        if at_once:
            self.process.terminate()
        else:
            self._send(None)

    def listen(self) -> tuple[_Order, Outcome] | None:
        """Show what the worker has sent, and find out whether it has ended.

        Returns:
            The order and its outcome, if the worker has carried it out or died; otherwise None.
        """
        ended = None
        with contextlib.suppress(EOFError, OSError):  # the worker has ended, perhaps in the middle of a message
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
                if not self._order.owner:  # the owner of a run goes on where a dead helper was
                    note_death(self._order.task.point, f"its process {_describe_end(self.process.exitcode)}")
                ended = self._put_down("failed")
        return ended

    def kill(self) -> None:
        """End the worker at once, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()
        self._end_line()

    def _send(self, task: Any) -> None:
        with contextlib.suppress(OSError):  # the worker has ended; `listen` will notice
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
