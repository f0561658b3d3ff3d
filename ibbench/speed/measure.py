"""Timings of contestants that take turns, so that other work of the machine slows all of them alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from ibbench.budget.cost import count_flops, count_parameters, count_training_flops
from ibbench.errors import InputError
from ibbench.run.plan import Point
from ibbench.speed.columns import COLUMNS
from ibbench.speed.contestants import Entry, Phase, chunk_of
from ibbench.speed.crew import Arrangement, Crew, Timed
from ibbench.speed.peers import PEERS


class Rate(NamedTuple):
    """Molecules per second: the median over repeated timings, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Sequence[float]) -> "Rate":
        """Summarise the rates of several timings, in molecules per second."""
        return cls(float(np.median(found)), min(found), max(found))


def measure(point: Point, repeats: int, seconds: float) -> pd.DataFrame:
    """Time training steps and predictions of a model and of its peer, if it has one, with all cores of the machine.

    The contestants are one replica, a pack of all replicas of the config, and the peer; with `trainer.compile=true`,
    the peer takes part twice, as it is and compiled. Each is timed in two arrangements: one process with a thread per
    core, and one process per core with one thread each. Only the fastest arrangement counts, and the
    faster of two peers.

    Args:
        point: the model, the data and how it trains.
        repeats: how often each contestant is timed.
        seconds: how long one timing should take.

    Returns:
        A row for each number of replicas and phase, with `COLUMNS`. In rows of the phase `train`, the shares say where
        the time goes; a compiled step does forward and backward pass as one, which counts as forward.

    Raises:
        InputError: the train subset is smaller than a batch, or a target has a value per atom.
    """
    if point.resolved.model.output == "atoms":
        raise InputError(f"{', '.join(point.config.targets)} has a value per atom, which peers do not predict")
    batch_size, train_size = point.config.trainer.batch_size, point.split.train_size
    if train_size < batch_size:
        raise InputError(f"a batch of {batch_size} molecules needs as many to train on: data.train_size={train_size}")
    compiled = bool(point.resolved.trainer.compile)
    ours = [Entry("ours", count, compiled) for count in dict.fromkeys((1, point.config.num_replicas))]
    has_peer = point.config.model.name in PEERS
    peers = [Entry("peer", 1, compile_peer) for compile_peer in ((False, True) if compiled else (False,)) if has_peer]
    with Crew(point.config, [*ours, *peers]) as crew:
        peers = [entry for entry in peers if entry not in crew.refused]
        ceilings = {arrangement: crew.ceiling(arrangement) for arrangement in get_args(Arrangement)}
        rows = []
        for phase in get_args(Phase):
            rates = compete(crew, [*ours, *peers], phase, repeats, seconds)
            rows += [_row(point, crew, phase, entry, peers, rates, ceilings) | {"repeats": repeats} for entry in ours]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("replicas", kind="stable", ignore_index=True)


def compete(crew: Crew, entries: Sequence[Entry], phase: Phase, repeats: int, seconds: float) -> dict[Timed, Rate]:
    """Time contestants in both arrangements, turn by turn.

    Args:
        crew: the processes that the contestants work in.
        entries: the contestants.
        phase: training or prediction.
        repeats: how many turns each contestant takes.
        seconds: how long a turn should take.

    Returns:
        The rate of each contestant in each arrangement.
    """
    found: dict[Timed, list[float]] = {
        Timed(entry, arrangement): [] for entry in entries for arrangement in get_args(Arrangement)
    }
    for _ in range(repeats):
        for timed, rates in found.items():
            rates.append(crew.rate(timed, phase, seconds))
    return {timed: Rate.of(rates) for timed, rates in found.items()}


def _row(
    point: Point,
    crew: Crew,
    phase: Phase,
    entry: Entry,
    peers: Sequence[Entry],
    rates: dict[Timed, Rate],
    ceilings: dict[Arrangement, float],
) -> dict[str, Any]:
    options, padding = point.resolved.model, point.dataset.molecules.padding
    ours = fastest(rates, [entry])
    peer = fastest(rates, peers) if peers else None
    rate, peer_rate = rates[ours], rates[peer] if peer else None
    flops = count_training_flops(padding, options) if phase == "train" else count_flops(padding, options)
    gflops, ceiling = rate.median * flops / 1e9, ceilings[ours.arrangement]
    row = {
        "model": options.name,
        "replicas": entry.replicas,
        "phase": phase,
        **dict(zip(("ours_molecules_per_second", "ours_low", "ours_high"), rate, strict=True)),
        "arrangement": crew.describe(ours.arrangement),
        **dict(zip(("peer_molecules_per_second", "peer_low", "peer_high"), peer_rate or (None,) * 3, strict=True)),
        "peer_arrangement": crew.describe(peer.arrangement) if peer else None,
        "peer_compiled": peer.entry.compiled if peer else None,
        "ratio": rate.median / peer_rate.median if peer_rate else None,
        "gflops": gflops,
        "ceiling_gflops": ceiling,
        "fraction_of_ceiling": gflops / ceiling,
        "parameters": count_parameters(padding, options),
        "width": options.sizes[0],
        "hidden": options.sizes[1],
        "depth": options.depth,
        "batch_size": point.config.trainer.batch_size if phase == "train" else chunk_of(point, entry.replicas),
        "compiled": entry.compiled,
    }
    if phase == "train":
        spent = crew.phases(ours)
        row |= {f"{name}_share": part / sum(spent.values()) for name, part in spent.items()}
        row |= {"peak_memory_mb": crew.memory(ours.arrangement)}
    return row


def fastest(rates: dict[Timed, Rate], entries: Sequence[Entry]) -> Timed:
    """Return the fastest of some contestants, together with the arrangement in which it is the fastest."""
    return max((timed for timed in rates if timed.entry in entries), key=lambda timed: rates[timed].median)
