"""Processes that time contestants on all cores: one with a thread per core, or one per core with a thread each."""

import logging
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple, Self, cast

import torch

from ibbench.data.molecules import Molecules
from ibbench.options.config import Config
from ibbench.run.plan import Point, plan
from ibbench.speed.ceiling import ceiling_gflops, linear_shapes
from ibbench.speed.contestants import Contestant, Entry, Ours, Phase, build_contestant
from ibbench.training.device import count_cores, peak_memory_mb, reset_peak_memory

Arrangement = Literal["threads", "processes"]
_WARM_UP = 3  # steps
_PATIENCE_SECONDS = 10.0  # for a process to end
_BLOCK_SECONDS = 0.02  # between two looks at the clock


class Timed(NamedTuple):
    """A contestant in one of the two arrangements of processes and threads, which has a time of its own."""

    entry: Entry
    arrangement: Arrangement


class Crew:
    """The processes of both arrangements, each of which has built all contestants and waits for orders.

    In the arrangement `processes`, one process per core works at the same time, as when several seeds are trained. The
    machine is never asked for more threads than it has cores.

    Attributes:
        num_cores: the number of cores that are used.
        refused: the contestants that cannot take part, each with the reason.
    """

    def __init__(self, config: Config, entries: Sequence[Entry]) -> None:
        """Start the processes, one after another where they compile.

        Args:
            config: the model, the data and how it trains.
            entries: the contestants.
        """
        self.num_cores = count_cores()
        self.refused: dict[Entry, str] = {}
        self._members: dict[Arrangement, list[_Member]] = {"threads": [], "processes": []}
        counts: dict[Arrangement, tuple[int, int]] = {"threads": (1, self.num_cores), "processes": (self.num_cores, 1)}
        for arrangement, (num_processes, num_threads) in counts.items():
            self._members[arrangement] = [_Member(config, num_threads) for _ in range(num_processes)]
            for entry in entries:
                for reason in self._ask(arrangement, ("prepare", entry)):
                    if reason:
                        self.refused[entry] = reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for member in (member for members in self._members.values() for member in members):
            member.channel.close()  # the process then ends by itself, and leaves nothing behind
            member.process.join(_PATIENCE_SECONDS)
            member.process.kill()

    def rate(self, timed: Timed, phase: Phase, seconds: float) -> float:
        """Let a contestant work for some seconds; return the molecules per second of all its processes together."""
        found = self._ask(timed.arrangement, ("time", timed.entry, phase, seconds))
        return sum(molecules / spent for molecules, spent in found)

    def phases(self, timed: Timed) -> dict[str, float]:
        """Return the seconds that each of `PHASES` has taken so far, for a contestant that is `ours`."""
        return cast(dict[str, float], self._ask(timed.arrangement, ("phases", timed.entry))[0])

    def ceiling(self, arrangement: Arrangement) -> float:
        """Return the GFLOP/s of the model's matrix products without anything else, of all processes together."""
        return sum(self._ask(arrangement, ("ceiling",)))

    def memory(self, arrangement: Arrangement) -> float:
        """Return the largest peak memory of any process of an arrangement, in MB (10^6 bytes)."""
        return max(self._ask(arrangement, ("memory",)))

    def describe(self, arrangement: Arrangement) -> str:
        """Return the number of processes, and of threads in each, such as `1 x 8`."""
        processes, threads = (1, self.num_cores) if arrangement == "threads" else (self.num_cores, 1)
        return f"{processes} x {threads}"

    def _ask(self, arrangement: Arrangement, order: tuple[Any, ...]) -> list[Any]:
        """Send an order, a method of `_Worker` with its arguments, to all processes; return their answers."""
        members = self._members[arrangement]
        for member in members:
            member.channel.send(order)
        answers = [member.channel.recv() for member in members]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers


class _Member:
    """A process of the crew, and the channel for orders to it."""

    def __init__(self, config: Config, num_threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would keep threads of its parent, and their settings
        self.channel, far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(far_end, config, num_threads), daemon=True)
        self.process.start()
        far_end.close()


def _serve(channel: Connection, config: Config, num_threads: int) -> None:
    torch.set_num_threads(num_threads)
    torch._logging.set_logs(dynamo=logging.ERROR)  # no warnings of a peer that compiles in several pieces
    worker: _Worker | None = None
    while True:
        try:
            order, *arguments = channel.recv()
        except EOFError:
            return
        try:
            worker = worker or _Worker(plan(config))
            channel.send(getattr(worker, order)(*arguments))
        except Exception as error:
            channel.send(error)


class _Worker:
    """Carries out the orders that a process is sent; each public method is an order."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._built: dict[Entry, Contestant] = {}
        reset_peak_memory(torch.device("cpu"))

    def prepare(self, entry: Entry) -> str:
        """Build a contestant and let it take some steps; return why it cannot, for a peer that does not compile."""
        try:
            contestant = build_contestant(entry, self._point)
            contestant.train(_WARM_UP)
            contestant.infer(_WARM_UP)
        except Exception as error:
            if entry.who == "peer" and entry.compiled:
                return f"{type(error).__name__}: {error}".splitlines()[0]
            raise
        self._built[entry] = contestant
        return ""

    def time(self, entry: Entry, phase: Phase, seconds: float) -> tuple[int, float]:
        """Let a contestant work for some seconds; return how many molecules it took, and how long."""
        contestant = self._built[entry]
        work = contestant.train if phase == "train" else contestant.infer
        block = max(1, round(_BLOCK_SECONDS / (work(_WARM_UP) / _WARM_UP)))
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            work(block)
            steps += block
        return steps * contestant.molecules_per_step(phase), time.perf_counter() - started

    def phases(self, entry: Entry) -> dict[str, float]:
        """Return the seconds that each of `PHASES` has taken so far."""
        contestant = self._built[entry]
        assert isinstance(contestant, Ours)
        return contestant.phases

    def ceiling(self) -> float:
        """Measure the GFLOP/s of the model's matrix products without anything else."""
        molecules = self._point.dataset.molecules
        batch: Molecules = molecules.select(torch.arange(self._point.config.trainer.batch_size))
        return ceiling_gflops(linear_shapes(batch, self._point.resolved.model))

    def memory(self) -> float | None:
        """Return the peak memory of this process, in MB."""
        return peak_memory_mb(torch.device("cpu"))
