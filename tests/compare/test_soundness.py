"""Which rows support no claim: those that still fall, and those that lose to atom counts."""

from collections.abc import Callable

import numpy as np
import pytest

from ibbench.compare.soundness import find_faults, measure_doubling, rates_at_the_edge
from ibbench.compare.study import Study, gather
from ibbench.record.metrics import MetricsEntry
from ibbench.record.schema import BaselineEntry, Record, ReplicaEntry, TrialEntry

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
Make = Callable[..., Record]


def _metrics(mae: float) -> MetricsEntry:
    return MetricsEntry(mae=mae, rmse=mae, r2=0.9, mae_over_std=mae)


def _replica(seed: int, mae: float, half: float | None, train: float = 0.1, lr: float = 1e-3) -> ReplicaEntry:
    last = TrialEntry(steps=101, lr=lr, weight_decay=0.0, dropout=0.0, validation_mae=mae, test_mae=mae)
    trials = [last.model_copy(update={"steps": 25, "lr": rate, "test_mae": None}) for rate in RATES]
    if half is not None:
        trials += [last.model_copy(update={"steps": 50, "test_mae": half}), last]
        trials.insert(5, last.model_copy(update={"steps": 50, "lr": 5.0, "test_mae": 99.0}))  # the one that lost
    parts = {"train": _metrics(train), "validation": _metrics(mae), "test": _metrics(mae)}
    return ReplicaEntry(
        target="gap", seed=seed, unit="eV", best_epoch=1, epochs=1, trials=tuple(trials if half else ()), **parts
    )


def _study(make_record: Make, replicas: list[ReplicaEntry], guard: float = 1.0) -> Study:
    record = make_record("gnn", {("gap", replica.seed): 1.0 for replica in replicas}, baselines=False)
    composition = tuple(_replica(replica.seed, guard, None) for replica in replicas)
    baseline = BaselineEntry(name="composition", parameters=6, replicas=composition)
    return gather("s", [record.model_copy(update={"replicas": tuple(replicas), "baselines": (baseline,)})])


def test_the_change_by_twice_the_steps_is_that_of_the_same_trial() -> None:
    doubling = measure_doubling([_replica(seed, 0.27, 0.3) for seed in range(3)])
    assert doubling is not None
    assert doubling.change == pytest.approx(-0.1)
    assert (doubling.low, doubling.high) == pytest.approx((-0.1, -0.1))
    assert doubling.steps == 101
    assert measure_doubling([_replica(0, 0.27, 0.3), _replica(1, 0.27, None)]) is None


def test_its_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        changes = np.exp(np.log(0.95) + 0.02 * random.standard_normal(5))
        doubling = measure_doubling([_replica(seed, 0.3 * change, 0.3) for seed, change in enumerate(changes)])
        assert doubling is not None
        assert doubling.low is not None
        assert doubling.high is not None
        covered += doubling.low < -0.05 < doubling.high
    assert 0.92 < covered / 400 < 0.98


@pytest.mark.parametrize(
    ("maes", "falls"),
    [
        ([0.27, 0.27, 0.27], True),
        ([0.297, 0.297, 0.297], False),  # by 1 %
        ([0.2, 0.3, 0.31], False),  # seeds differ by more
        ([0.31, 0.32, 0.33], False),
    ],
)
def test_a_row_that_still_falls_is_named(maes: list[float], falls: bool, make_record: Make) -> None:
    study = _study(make_record, [_replica(seed, mae, 0.3) for seed, mae in enumerate(maes)])
    faults = list(find_faults(study.entries).values())
    assert len(faults) == falls
    assert all(fault.startswith("not converged: twice the steps lowered it by 10") for fault in faults)


@pytest.mark.parametrize(
    ("mae", "train", "said"),
    [
        (1.1, 0.1, ["it loses to composition"]),
        (0.9, 1.1, ["its train error is above the test error of composition"]),
        (0.9, 0.5, []),
    ],
)
def test_a_row_that_does_not_beat_atom_counts_is_named(
    mae: float, train: float, said: list[str], make_record: Make
) -> None:
    study = _study(make_record, [_replica(seed, mae, None, train) for seed in range(2)])
    assert list(find_faults(study.entries).values()) == said


@pytest.mark.parametrize(("rate", "edge"), [(1e-4, "lowest"), (1e-2, "highest"), (1e-3, None)])
def test_a_winner_at_the_edge_of_the_range_is_told(rate: float, edge: str | None, make_record: Make) -> None:
    replicas = [_replica(seed, 0.3, 0.3, lr=rate) for seed in range(2)] + [_replica(2, 0.3, 0.3)]
    entries = [entry for entry in _study(make_record, replicas).entries if not entry.key.is_baseline]
    assert rates_at_the_edge(entries[0]) == edge
