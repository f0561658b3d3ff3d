"""Timings of contestants, interleaved, so that what else the machine does meets all of them alike."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from ibbench.budget.cost import count_flops, count_parameters, count_training_flops
from ibbench.errors import InputError
from ibbench.run.plan import Point
from ibbench.speed.ceiling import ceiling_gflops, linear_shapes
from ibbench.speed.contestants import PHASES, Contestant, Ours, Peer
from ibbench.speed.peers import PEERS
from ibbench.training.device import peak_memory_mb, reset_peak_memory

COLUMNS = [
    "model", "phase", "ours_molecules_per_second", "ours_low", "ours_high",
    "peer_molecules_per_second", "peer_low", "peer_high", "ratio", "gflops", "ceiling_gflops", "fraction_of_ceiling",
    *(f"{phase}_share" for phase in PHASES), "peak_memory_mb", "parameters", "width", "hidden", "depth",
    "batch_size", "replicas", "compiled", "repeats",
]  # fmt: skip
_WARM_UP = 3  # steps


class Rate(NamedTuple):
    """Molecules a second: the median over repeats, and the lowest and highest."""

    median: float
    low: float
    high: float


def measure(point: Point, repeats: int, seconds: float) -> pd.DataFrame:
    """Time training steps and predictions of a model and of its peer, if it has one.

    Args:
        point: the model, the data and how it trains.
        repeats: how often each is timed; they take turns.
        seconds: how long one timing should take.

    Returns:
        A row for `train` and one for `infer`, with `COLUMNS`. Of `train`, the shares say where the time goes; of a
        compiled step, forward and backward pass are one and stand under forward.

    Raises:
        InputError: there are fewer train molecules than a batch has.
    """
    batch_size, train_size = point.config.trainer.batch_size, point.split.train_size
    if train_size < batch_size:
        raise InputError(f"a batch of {batch_size} molecules needs as many to train on: data.train_size={train_size}")
    reset_peak_memory(torch.device("cpu"))
    ours = Ours(point)
    contestants: dict[str, Contestant] = {"ours": ours}
    contestants |= {"peer": Peer(point)} if point.config.model.name in PEERS else {}
    train = compete({name: (it.train, it.molecules_per_step) for name, it in contestants.items()}, repeats, seconds)
    memory = peak_memory_mb(torch.device("cpu"))
    infer = compete({name: (it.infer, it.molecules_per_step) for name, it in contestants.items()}, repeats, seconds)
    options, padding = point.resolved.model, point.dataset.molecules.padding
    batch = point.dataset.molecules.select(torch.arange(batch_size))
    ceiling = ceiling_gflops(linear_shapes(batch, options))
    total = sum(ours.phases.values())
    shares = {f"{phase}_share": spent / total for phase, spent in ours.phases.items()}
    common = {
        "ceiling_gflops": ceiling,
        "parameters": count_parameters(padding.num_atoms, options),
        "width": options.sizes[0],
        "hidden": options.sizes[1],
        "depth": options.depth,
        "batch_size": batch_size,
        "replicas": point.config.num_replicas,
        "compiled": point.resolved.trainer.compile,
        "repeats": repeats,
    }
    rows = [
        _row(options.name, "train", train, count_training_flops(padding, options), ceiling)
        | shares
        | {"peak_memory_mb": memory}
        | common,
        _row(options.name, "infer", infer, count_flops(padding, options), ceiling) | common,
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(model: str, phase: str, rates: dict[str, Rate], flops: float, ceiling: float) -> dict[str, Any]:
    ours, peer = rates["ours"], rates.get("peer")
    gflops = ours.median * flops / 1e9
    return {
        "model": model,
        "phase": phase,
        **dict(zip(("ours_molecules_per_second", "ours_low", "ours_high"), ours, strict=True)),
        **dict(zip(("peer_molecules_per_second", "peer_low", "peer_high"), peer or (None,) * 3, strict=True)),
        "ratio": ours.median / peer.median if peer else None,
        "gflops": gflops,
        "fraction_of_ceiling": gflops / ceiling,
    }


def compete(
    contestants: Mapping[str, tuple[Callable[[int], float], int]], repeats: int, seconds: float
) -> dict[str, Rate]:
    """Time functions that take a number of steps and return their seconds, turn by turn.

    Args:
        contestants: the function, and how many molecules a step takes.
        repeats: how many turns.
        seconds: how long a turn should take.
    """
    steps = {}
    for name, (take, _) in contestants.items():
        take(_WARM_UP)
        steps[name] = max(1, round(seconds / (take(_WARM_UP) / _WARM_UP)))
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, (take, molecules) in contestants.items():
            rates[name].append(steps[name] * molecules / take(steps[name]))
    return {name: Rate(float(np.median(found)), min(found), max(found)) for name, found in rates.items()}
