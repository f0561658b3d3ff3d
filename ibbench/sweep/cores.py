"""Training of points by the command itself: as many at a time as there are cores, or GPUs with `device=cuda:all`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ibbench.sweep.point import run_point
from ibbench.terminal import mention

if TYPE_CHECKING:  # they import torch, which is not needed to find that all runs are done
    from ibbench.run.plan import Point
    from ibbench.sweep.sweep import Sweep

_ALL_GPUS = "cuda:all"
_BYTES_OF_WORKER = 500e6  # memory of a worker without its replicas


def train_here(sweep: Sweep, numbers: Sequence[int]) -> None:
    """Train points of a sweep. Where several train at a time, those that take longest begin first.

    Args:
        sweep: a sweep whose points are planned.
        numbers: the places of the points to train in the sweep, from 0.
    """
    from ibbench.sweep.announce import is_to_do

    left = [number for number in numbers if is_to_do(sweep.points[number])]
    for number in numbers:
        if number not in left:
            run_point(sweep.points[number].config)  # says that it is done
    points = [sweep.points[number] for number in left]
    num_workers, pack_sizes, gpus = 1, list[int](), 0
    if points and all(point.config.device == _ALL_GPUS for point in points):
        num_workers, pack_sizes = _divide_over_gpus(points)
        gpus = num_workers
    elif points and _are_for_the_cpu(points):
        num_workers, pack_sizes = _divide(points)
    if num_workers > 1:
        from ibbench.sweep.workers import Assignment, train_side_by_side

        tasks = [Assignment(*task) for task in zip(left, points, pack_sizes, strict=True)]
        tasks.sort(key=lambda task: _expected_seconds(task.point), reverse=True)
        outcomes = train_side_by_side(tasks, num_workers, [f"cuda:{number}" for number in range(gpus)])
    else:
        outcomes = {number: run_point(point.config) for number, point in zip(left, points, strict=True)}
    for number, outcome in outcomes.items():
        if outcome == "elsewhere":
            sweep.note_taken(number)


def _are_for_the_cpu(points: list[Point]) -> bool:
    """Whether all points train on the CPU; one GPU trains one after another."""
    from ibbench.training.device import choose_device

    return all(choose_device(point.config.device).type == "cpu" for point in points)


def _divide(points: list[Point]) -> tuple[int, list[int]]:
    """Choose how many packs train at a time, and say so.

    The last digits of a run depend on the size of its packs, so that size does not depend on the number of cores.

    Returns:
        The number of packs that train at a time, and the number of replicas in a pack of each point.
    """
    import torch

    from ibbench.run.execute import choose_size
    from ibbench.training.device import count_cores
    from ibbench.training.packs import bytes_per_replica, count_fitting

    sizes = [choose_size(point, torch.device("cpu")) for point in points]
    sizes = [min(size, point.config.num_replicas) for point, size in zip(points, sizes, strict=True)]
    needed = [
        size * bytes_per_replica(point.resolved, point.dataset.molecules.padding)
        for point, size in zip(points, sizes, strict=True)
    ]
    cores, given = count_cores(), points[0].config.workers
    most = min(cores, count_fitting(_BYTES_OF_WORKER + max(needed))) if given == "auto" else given
    num_packs = sum(math.ceil(point.config.num_replicas / size) for point, size in zip(points, sizes, strict=True))
    count = min(most, num_packs)
    what = "run" if count <= len(points) else "pack"
    told = f"1 {what} at a time, in one thread" if count == 1 else f"{count} {what}s at a time, one thread each"
    smaller = math.ceil(max(point.config.num_replicas for point in points) / most)
    if count < most and smaller < max(sizes):
        told += f"; trainer.replicas_per_pack={smaller} would use more"
    mention(f"On {cores} core{'s' if cores > 1 else ''}: {told}")
    return count, sizes


def _divide_over_gpus(points: list[Point]) -> tuple[int, list[int]]:
    """Choose how many packs train at a time, one per GPU, and say so.

    Where there are fewer runs than GPUs, the packs of a run that has no other size are made small enough for all GPUs
    to have one.

    Returns:
        The number of packs that train at a time, and the number of replicas in a pack of each point.
    """
    from ibbench.run.execute import choose_size
    from ibbench.run.pack import Place
    from ibbench.training.device import choose_device, count_gpus

    gpus, device, sizes = count_gpus(), choose_device(_ALL_GPUS), []
    for point in points:
        replicas = point.config.num_replicas
        size = min(choose_size(point, device), replicas)
        if point.config.trainer.replicas_per_pack == "auto":
            share = math.ceil(replicas / math.ceil(gpus / len(points)))
            size = choose_size(point, device, Place(pack_size=min(size, share)))  # a saved state keeps its own size
        sizes.append(size)
    num_packs = sum(math.ceil(point.config.num_replicas / size) for point, size in zip(points, sizes, strict=True))
    count = min(gpus, num_packs)
    what = "run" if num_packs <= len(points) else "pack"
    mention(f"On {gpus} GPU{'s' if gpus > 1 else ''}: {count} {what}{'s' if count > 1 else ''} at a time, one per GPU")
    return count, sizes


def _expected_seconds(point: Point) -> float:
    from ibbench.sweep.announce import list_planned
    from ibbench.training.step import expected_seconds

    (planned,) = list_planned([point], [[]])
    replicas, size = point.config.num_replicas, point.resolved.trainer.batch_size
    return expected_seconds(planned.molecule_steps // (replicas * size), int(planned.flops))
