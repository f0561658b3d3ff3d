"""The points of a sweep trained by its own command: on the CPU as many at a time as there are cores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ibbench.sweep.point import run_point
from ibbench.terminal import say

if TYPE_CHECKING:  # they import torch, which is not needed to find that all runs are done
    from ibbench.run.plan import Point
    from ibbench.sweep.sweep import Sweep

_BYTES_OF_WORKER = 500e6  # beside what its replicas take


def train_here(sweep: Sweep, numbers: Sequence[int]) -> None:
    """Train points of a sweep, those that take longest first where several train at a time.

    Args:
        sweep: the runs of this command, planned.
        numbers: the places of these points in it, from 0.
    """
    from ibbench.sweep.announce import is_to_do

    left = [number for number in numbers if is_to_do(sweep.points[number])]
    for number in numbers:
        if number not in left:
            run_point(sweep.points[number].config)  # says that it is done
    num_workers = _count_workers([sweep.points[number] for number in left])
    if num_workers > 1:
        from ibbench.sweep.workers import train_side_by_side

        left.sort(key=lambda number: _expected_seconds(sweep.points[number]), reverse=True)
        outcomes = train_side_by_side([sweep.points[number] for number in left], num_workers)
    else:
        outcomes = [run_point(sweep.points[number].config) for number in left]
    for number, outcome in zip(left, outcomes, strict=True):
        if outcome == "elsewhere":
            sweep.note_taken(number)


def _count_workers(points: list[Point]) -> int:
    """Return how many points train at a time, and say so; a GPU trains one after another."""
    from ibbench.training.device import choose_device, count_cores, free_memory

    devices = [choose_device(point.config.device) for point in points]
    if not points or any(device.type != "cpu" for device in devices):
        return 1
    cores, given = count_cores(), points[0].config.workers
    most = min(cores, int(free_memory(devices[0]) / _BYTES_OF_WORKER)) if given == "auto" else given
    count = min(max(1, most), len(points))
    runs = "1 run at a time, in one thread" if count == 1 else f"{count} runs at a time, one thread each"
    say(f"On {cores} core{'s' if cores > 1 else ''}: {runs}")
    return count


def _expected_seconds(point: Point) -> float:
    from ibbench.sweep.announce import list_planned
    from ibbench.training.step import expected_seconds

    (planned,) = list_planned([point], [[]])
    replicas, size = point.config.num_replicas, point.resolved.trainer.batch_size
    return expected_seconds(planned.molecule_steps // (replicas * size), int(planned.flops))
