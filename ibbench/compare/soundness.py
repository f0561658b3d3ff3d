"""Rows that support no claim, and why: they have not converged, or a baseline without a model beats them.

An error that still falls when training goes on says something about the schedule, not about the model. And a model
that loses to a regression on atom counts is badly trained, whatever it assumes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.pairs import by_group
from ibbench.compare.rows import Entry, Key
from ibbench.record.schema import ReplicaEntry, TrialEntry

TOLERANCE = 0.02  # a row counts as converged if twice the steps lower its MAE by less than this fraction
GUARD = "composition"  # the baseline that every model must beat


class Doubling(NamedTuple):
    """How much twice the training steps change the test MAE, as a fraction of it: -0.05 means 5 % lower.

    Attributes:
        change: change as the geometric mean over seeds.
        low: lower end of its 95 % interval over seeds (Student's t on logarithms); None with one seed.
        high: upper end of that interval; None with one seed.
        steps: number of steps of the longer training.
    """

    change: float
    low: float | None
    high: float | None
    steps: int

    @property
    def falls(self) -> bool:
        """Whether the error still falls by more than is tolerated, whatever the seeds."""
        return (self.change if self.high is None else self.high) < -TOLERANCE


def measure_doubling(replicas: Sequence[ReplicaEntry]) -> Doubling | None:
    """Compare each replica with a training of the same hyper-parameters for half of the steps.

    The shorter training has a schedule of its own, which ends at its last step.

    Args:
        replicas: replicas of one row, as recorded.

    Returns:
        The change; None if there is a replica without such a shorter training. `tuning=convergence` and
        `tuning=halving` make them.
    """
    halves = [_half(replica) for replica in replicas]
    logs = [
        math.log(replica.tested.mae / half)
        for replica, half in zip(replicas, halves, strict=True)
        if half is not None and half > 0 and replica.tested.mae > 0
    ]
    if not logs or len(logs) < len(replicas):
        return None
    low = high = None
    if len(logs) > 1:
        spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) * float(special.stdtrit(len(logs) - 1, 0.975))
        low, high = math.expm1(np.mean(logs) - spread), math.expm1(np.mean(logs) + spread)
    return Doubling(math.expm1(float(np.mean(logs))), low, high, replicas[0].trials[-1].steps)


def _half(replica: ReplicaEntry) -> float | None:
    """Return the test error of the chosen trial when it was trained for half of the steps."""
    *others, chosen = replica.trials or (None,)
    if chosen is None:
        return None
    found = [trial.test_mae for trial in others if trial is not None and _is_half(trial, chosen)]
    return found[-1] if found else None


def _is_half(trial: TrialEntry, chosen: TrialEntry) -> bool:
    same = (trial.lr, trial.weight_decay, trial.dropout) == (chosen.lr, chosen.weight_decay, chosen.dropout)
    return same and abs(2 * trial.steps - chosen.steps) <= 1


def find_faults(entries: Sequence[Entry]) -> dict[Key, str]:
    """Find the rows of a study that support no claim.

    A row for which doubled steps were not measured may not have converged either, but it does not count as faulty.

    Args:
        entries: all rows of the study, with its baselines.

    Returns:
        The reason for each of these rows, by its key.
    """
    faults: dict[Key, str] = {}
    for group in by_group(entries).values():
        guards = [entry for entry in group if entry.key.is_baseline and entry.key.model == GUARD]
        for entry in group:
            if entry.key.is_baseline:
                continue
            reasons = [*_losing(entry, _on_the_same(entry, guards)), *_falling(entry)]
            if reasons:
                faults[entry.key] = "; ".join(reasons)
    return faults


def _on_the_same(entry: Entry, guards: list[Entry]) -> list[Entry]:
    """Return the guards that had the same data, such as shuffled labels; all of them if none did."""
    words = {word for word in entry.key.variant.split() if word.startswith("data.")}
    return [guard for guard in guards if set(guard.key.variant.split()) <= words] or guards


def _losing(entry: Entry, guards: list[Entry]) -> list[str]:
    bound = min((guard.sample.mae for guard in guards), default=math.inf)
    if entry.sample.mae > bound:
        return [f"it loses to {GUARD}"]
    if entry.options.get("data.label_noise") or entry.options.get("data.labels", "true") != "true":
        return []  # its train error is against other labels than test errors are
    train = float(np.mean([replica.train.mae for replica in entry.replicas]))
    return [f"its train error is above the test error of {GUARD}"] if train > bound else []


def _falling(entry: Entry) -> list[str]:
    doubling = measure_doubling(entry.replicas)
    if doubling is None or not doubling.falls:
        return []
    return [f"not converged: twice the steps lowered it by {-doubling.change:.1%}"]


def rates_at_the_edge(entry: Entry) -> str | None:
    """Find out whether most seeds of a row chose the lowest or the highest learning rate that they tried.

    The best learning rate may then lie outside of the range of the search.

    Returns:
        `lowest` or `highest`; None if most seeds chose another rate, or if a seed tried fewer than three.
    """
    places = []
    for replica in entry.replicas:
        first = [trial.lr for trial in replica.trials if trial.steps == replica.trials[0].steps]
        if len(set(first)) < 3:
            return None
        places.append(sorted(set(first)).index(replica.trials[-1].lr) / (len(set(first)) - 1))
    for end, name in ((0.0, "lowest"), (1.0, "highest")):
        if sum(place == end for place in places) > len(places) / 2:
            return name
    return None
