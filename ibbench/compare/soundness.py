"""Rows that support no claim, and why: they have not converged, or do not beat what needs no model.

An error that still falls when training goes on says something about the schedule, not about the model. And a model
that loses to a regression on atom counts is badly trained, whatever it assumes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ibbench.compare.pairs import by_group
from ibbench.compare.study import Entry, Key
from ibbench.record.schema import ReplicaEntry, TrialEntry

TOLERANCE = 0.02  # by which a converged row may still fall when its steps are doubled
GUARD = "composition"  # the baseline that every model must beat


class Doubling(NamedTuple):
    """What twice the steps change of an error, as a fraction of it: -0.05 is 5 % lower.

    Attributes:
        change: the mean over seeds, of ratios.
        low: lower end of its 95 % interval over seeds (Student's t on logarithms); None with one seed.
        high: upper end.
        steps: of the whole training.
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
    """Compare each replica with the same trial trained for half of the steps, with a schedule of its own.

    Returns:
        None where some replica was not trained for half of its steps (`tuning=convergence` and `tuning=halving` do).
    """
    halves = [_half(replica) for replica in replicas]
    logs = [
        math.log(replica.test.mae / half)
        for replica, half in zip(replicas, halves, strict=True)
        if half is not None and half > 0 and replica.test.mae > 0
    ]
    if not logs or len(logs) < len(replicas):
        return None
    low = high = None
    if len(logs) > 1:
        spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) * float(stats.t.ppf(0.975, len(logs) - 1))
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
    """Say of each row of a study that supports no claim why it does not.

    Whether a row has converged is not known of every row; one of which it is not known is not named here.
    """
    faults: dict[Key, str] = {}
    for group in by_group(entries).values():
        guards = [entry for entry in group if entry.key.is_baseline and entry.key.model == GUARD]
        for entry in group:
            if entry.key.is_baseline:
                continue
            reasons = [*_losing(entry, guards), *_falling(entry)]
            if reasons:
                faults[entry.key] = "; ".join(reasons)
    return faults


def _losing(entry: Entry, guards: list[Entry]) -> list[str]:
    bound = min((guard.sample.mae for guard in guards), default=math.inf)
    if entry.sample.mae > bound:
        return [f"it loses to {GUARD}"]
    train = float(np.mean([replica.train.mae for replica in entry.replicas]))
    return [f"its train error is above the test error of {GUARD}"] if train > bound else []


def _falling(entry: Entry) -> list[str]:
    doubling = measure_doubling(entry.replicas)
    if doubling is None or not doubling.falls:
        return []
    return [f"not converged: twice the steps lowered it by {-doubling.change:.1%}"]


def rates_at_the_edge(entry: Entry) -> str | None:
    """Say if most seeds of a row chose a learning rate from the lowest or the highest part of the range.

    Returns:
        `lowest` or `highest`; None for most rows, and for those whose seeds did not choose.
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
