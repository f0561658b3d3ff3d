"""Studies made of invented figures, for what real trainings cannot show: known truths, other units, other schemas."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from ibbench.record.metrics import MetricsEntry
from ibbench.record.predictions import write_predictions
from ibbench.record.schema import (
    SCHEMA_VERSION,
    BaselineEntry,
    CostEntry,
    ErrorEntry,
    Record,
    ReplicaEntry,
    write_record,
)

Maes = Mapping[tuple[str, int], float]
MakeRecord = Callable[..., Record]
WriteStudy = Callable[..., Path]


def _replica(target: str, seed: int, mae: float, epochs: int = 10, unit: str = "eV") -> ReplicaEntry:
    metrics = MetricsEntry(mae=mae, rmse=1.5 * mae, r2=0.9, mae_over_std=mae / 1.3)
    parts = {"train": metrics, "validation": metrics, "test": metrics}
    return ReplicaEntry(target=target, seed=seed, unit=unit, best_epoch=epochs, epochs=epochs, **parts)


def _record(
    model: str,
    maes: Maes,
    *,
    lr: float = 0.001,
    train_size: int | None = 1000,
    status: str = "done",
    budget: int | None = 100,
    source: str = "qm9pack",
    split: str = "abc",
    hydrogens: str = "implicit",
    unit: str = "eV",
    torch: str = "2",
    parameters: int = 100,
    baselines: bool = True,
) -> Record:
    done = status == "done"
    baseline = tuple(_replica(target, seed, 1.0, 0, unit) for target, seed in maes)
    return Record(
        schema_version=SCHEMA_VERSION,
        status=status,
        run=f"{model}-{lr}-{train_size}-{len(maes)}-{budget}-{source}-{split}-{hydrogens}-{unit}".replace(":", ""),
        config={
            "model": {"name": model, **({"heads": 4} if model == "graph_transformer" else {})},
            "optimizer": {"lr": lr},
            "data": {"train_size": train_size, "hydrogens": hydrogens},
            "budget": {"parameters": budget} if budget else None,
            "seeds": [seed for _, seed in maes],
            "targets": sorted({target for target, _ in maes}),
        },
        width=8,
        hidden=16,
        assumptions={"symmetries": "s", "connectivity": "c", "weights": "w"},
        train_size=train_size or 1000,
        split_fingerprint=split,
        data_source=source,
        versions={"torch": torch},
        device="cpu",
        cost=CostEntry(
            parameters=parameters,
            flops_per_molecule=1_234_567,
            train_seconds=4.0,
            validation_seconds=1.0,
            molecules_per_second=1.0,
            peak_memory_mb=1.0,
        ),
        replicas=tuple(_replica(*replica, mae, unit=unit) for replica, mae in maes.items()) if done else (),
        baselines=(BaselineEntry(name="mean", parameters=1, replicas=baseline),) if baselines else (),
        error=None if done else ErrorEntry(message="the loss was no longer finite", traceback="..."),
    )


@pytest.fixture
def make_record() -> MakeRecord:
    return _record


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Write records, with predictions whose errors have the recorded means, into a folder."""

    def write(name: str, *records: Record, molecules: int = 400, predictions: bool = True) -> Path:
        study = tmp_path / name
        for record in records:
            folder = study / "runs" / record.run
            write_record(folder, record)
            if not predictions or not record.replicas:
                continue
            # The molecules that are hard for one model are hard for all.
            difficulty = np.random.default_rng(0).exponential(size=molecules)
            difficulty /= difficulty.mean()
            errors = [difficulty * replica.test.mae for replica in record.replicas]
            of_baselines = {
                baseline.name: np.array([difficulty * replica.test.mae for replica in baseline.replicas])
                for baseline in record.baselines
            }
            write_predictions(
                folder,
                index=np.arange(molecules),
                ids=np.arange(molecules),
                replicas=[(replica.target, replica.seed) for replica in record.replicas],
                truth=np.zeros((len(errors), molecules)),
                prediction=np.array(errors),
                baselines=of_baselines,
            )
        return study

    return write
