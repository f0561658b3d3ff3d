"""A study of many runs, made of a few real ones: as many records and predictions as months of training leave behind."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ibbench.record.folder import read_records
from ibbench.record.predictions import Predictor, read_predictions, write_predictions
from ibbench.record.schema import Record

RATES = (0.0005, 0.001, 0.002, 0.004)
SIZES = (50, 150, 200, 300, 500, 1000, 2000, 3000, 5000, 10_000)


def many_runs(study: Path, count: int) -> None:
    """Fill up a study that `ibbench train` has made, of runs of one replica, until it has `count` runs.

    The new runs differ in learning rate, train size and seed; each has the errors of a real one, times a factor.
    """
    base = read_records(study)
    rng = np.random.default_rng(0)
    made: dict[tuple[int, ...], tuple[bytes, float]] = {}
    for number in range(count - len(base)):
        number, model = divmod(number, len(base))
        number, rate = divmod(number, len(RATES))
        seed, size = divmod(number, len(SIZES))
        record = base[model]
        content = record.model_dump(mode="json")
        content["config"]["optimizer"]["lr"] = RATES[rate]
        content["config"]["data"]["train_size"] = content["train_size"] = SIZES[size]
        content["config"]["seeds"] = [seed]
        name = hashlib.sha256(json.dumps(content["config"]).encode()).hexdigest()[:10]
        content["run"] = f"{record.config['model']['name']}-{name}"
        folder = study / "runs" / content["run"]
        folder.mkdir()
        if (model, rate, seed) not in made:
            factor = (1 + rate / 10) * rng.normal(1, 0.05)
            made[model, rate, seed] = _predictions(study / "runs" / record.run, record, seed, factor, folder), factor
        predictions, factor = made[model, rate, seed]
        (folder / "predictions.npz").write_bytes(predictions)
        _adapt(content, seed, factor)
        (folder / "record.json").write_text(json.dumps(content, indent=1))


def _predictions(source: Path, record: Record, seed: int, factor: float, folder: Path) -> bytes:
    ((target, of_source),) = [(entry.target, entry.seed) for entry in record.replicas]
    found = read_predictions(source, record)
    truth, prediction = found.pop(Predictor(target, of_source))
    with np.load(source / "predictions.npz", allow_pickle=False) as content:
        index, ids = content["index"], content["id"]
    write_predictions(
        folder,
        index=index,
        ids=ids,
        replicas=[(target, seed)],
        truth=truth[None],
        prediction=(truth + factor * (prediction - truth))[None],
        baselines={who.baseline: of_baseline[None] for who, (_, of_baseline) in found.items()},
    )
    return (folder / "predictions.npz").read_bytes()


def _adapt(content: dict[str, Any], seed: int, factor: float) -> None:
    """Give the replicas of a record another seed, and the run's own the errors that its predictions have."""
    for entries in (content["replicas"], *(baseline["replicas"] for baseline in content["baselines"])):
        for entry in entries:
            entry["seed"] = seed
    for entry in content["replicas"]:
        for part in ("train", "validation", "test"):
            entry[part] |= {name: factor * entry[part][name] for name in ("mae", "rmse", "mae_over_std")}
