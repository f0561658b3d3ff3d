"""The messages to trackers about a run: its description, points of its curves, and its outcome."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ibbench.record.metrics import ClassMetricsEntry
from ibbench.record.schema import Record, ReplicaEntry

_CURVES = ("validation_mae", "train_loss", "learning_rate")
_ERRORS = ("mae", "rmse", "r2")

Value = str | int | float | bool | None


class Card(NamedTuple):
    """The description of a run.

    Attributes:
        study: the name of the study.
        folder: the folder of the study, as an absolute path.
        run: the name of the run.
        parameters: the options that can change the run's numbers, such as `optimizer.lr`, and the sizes that follow
            from them, such as `width`.
        tags: further facts by name, such as versions of packages, device and data.
        units: the unit of each target, by its short name.
        started: time when the training began, in seconds since 1970; None for now.
    """

    study: str
    folder: str
    run: str
    parameters: dict[str, Value]
    tags: dict[str, str]
    units: dict[str, str]
    started: float | None = None


class Point(NamedTuple):
    """One point of a curve.

    Attributes:
        name: name of the curve, such as `gap/seed 0/validation_mae`.
        step: number of steps that were done.
        epoch: number of passes over the train subset that were done.
        value: value of the curve; a validation MAE is in the unit of its target.
    """

    name: str
    step: int
    epoch: float
    value: float


class Outcome(NamedTuple):
    """The outcome of a run.

    Attributes:
        status: how the run ended; a run that is `stopped` can go on another time.
        metrics: figures of the whole run by name, such as `gap/seed 0/test_mae`; MAEs are in the targets' units.
        step: number of the last step.
        cost: the cost of the run by name, such as `train_seconds`.
        ended: time when the run ended, in seconds since 1970; None for now.
    """

    status: Literal["done", "failed", "stopped"]
    metrics: dict[str, float]
    step: int
    cost: dict[str, int | float]
    ended: float | None


STOPPED = Outcome("stopped", {}, 0, {}, None)


def card_of(study: Path, record: Record, units: Mapping[str, str] | None = None) -> Card:
    """Return the description of a run.

    Args:
        study: the folder of the study.
        record: the record of the run; before it is trained, a record without results.
        units: the unit of each target, by its short name; None to take units from the record.
    """
    folder = study.absolute()
    parameters = dict(_flatten(record.config))
    parameters |= {"width": record.width, "hidden": record.hidden, "train_size": record.train_size}
    tags = {"ibbench.study": folder.name, "ibbench.run": record.run, "model": str(record.config["model"]["name"])}
    tags |= {f"version.{package}": version for package, version in record.versions.items()}
    tags |= {"device": record.device, "data": record.data_source, "split": record.split_fingerprint}
    if record.made and record.made.revision:
        tags["revision"] = record.made.revision
    known = units if units is not None else {entry.target: entry.unit for entry in record.replicas}
    seconds = record.cost.train_seconds + record.cost.validation_seconds if record.cost else None
    ended = _ended(record)
    started = ended - seconds if ended is not None and seconds is not None else None
    return Card(folder.name, str(folder), record.run, parameters, tags, dict(known), started)


def _ended(record: Record) -> float | None:
    return datetime.fromisoformat(record.made.at).timestamp() if record.made else None


def _flatten(config: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    """Yield options with dotted names; values other than numbers, texts and null are written as JSON."""
    for key, value in config.items():
        group = value if isinstance(value, Mapping) else {}
        for name, option in group.items():
            yield f"{key}.{name}", _plain(option)
        if not group:
            yield key, _plain(value)


def _plain(value: Any) -> Value:
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else json.dumps(value, ensure_ascii=False)


def points_of(rows: Iterable[Mapping[str, Any]], num_stages: int, stage: int = 1) -> list[Point]:
    """Return the points of the curves of a history, whose names contain target and seed.

    Where seeds tune themselves, each trial of a stage before the last has curves of its own, since trials start anew in
    each stage.

    Args:
        rows: rows of a history, one per validation and replica, or trial of a replica; rows of a step stand together.
        num_stages: the number of stages of the run.
        stage: the stage, from 1, of rows that have no column `stage`.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    points = []
    for row in rows:
        name, number = f"{row['target']}/seed {row['seed']}", int(row.get("stage", stage))
        if number < num_stages:
            place = (number, row["step"], name)
            seen[place] += 1
            name += f"/stage {number}/trial {seen[place]}"
        step, epoch = int(row["step"]), float(row["epoch"])
        points += [Point(f"{name}/{curve}", step, epoch, float(row[curve])) for curve in _CURVES]
    return points


def outcome_of(record: Record) -> Outcome:
    """Return the outcome of a run: test errors of each replica, their means over seeds, and those of baselines."""
    metrics: dict[str, float] = {}
    for entry in record.replicas:
        name = f"{entry.target}/seed {entry.seed}"
        figures = entry.test.model_dump() if entry.test else {}  # without test molecules there are none
        names = _ERRORS if "mae" in figures else tuple(figures)  # of a class all of its figures
        metrics |= {f"{name}/test_{error}": value for error in names if (value := figures[error]) is not None}
        metrics |= {f"{name}/best_validation_mae": entry.validation.mae, f"{name}/best_epoch": entry.best_epoch}
    metrics |= _means(record.replicas)
    for baseline in record.baselines:
        prefix = "baseline/" + baseline.name.replace("+", "/")  # MLflow takes no plus
        metrics |= {f"{prefix}/{name}": value for name, value in _means(baseline.replicas).items()}
    cost = record.cost.model_dump() if record.cost else {}
    last = max((entry.steps or 0 for entry in record.replicas), default=0)
    return Outcome(record.status, metrics, last, cost, _ended(record))


def _means(entries: Iterable[ReplicaEntry]) -> dict[str, float]:
    """Return the test MAE of each target, and the log loss of a class, averaged over seeds."""
    of_target: dict[str, list[float]] = {}
    for entry in entries:
        if entry.test is None:
            continue
        word = "log_loss" if isinstance(entry.test, ClassMetricsEntry) else "mae"
        of_target.setdefault(f"{entry.target}/test_{word}", []).append(entry.test.mae)
    return {name: sum(maes) / len(maes) for name, maes in of_target.items()}


def num_stages_of(config: Mapping[str, Any]) -> int:
    """Return the number of stages of a run, from the options in its record."""
    return len((config.get("tuning") or {}).get("trials", (1,)))
