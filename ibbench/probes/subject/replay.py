"""A training, done again: what the model predicts of train molecules on its way from its initial weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.options.trial import Trial
from ibbench.probes.subject.subject import Subject
from ibbench.record.folder import HISTORY
from ibbench.record.history import read_history
from ibbench.record.schema import Record
from ibbench.training.device import choose_device
from ibbench.training.length import measure_length
from ibbench.training.loop import prepare, train
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas


class Checkpoint(NamedTuple):
    """The weights after some steps.

    Attributes:
        step: how many.
        share: of all steps, from 0 to 1.
        predictions: normalised, of the train molecules that are looked at, `[n]`.
        validation_mae: in the target's unit; NaN before the first step.
    """

    step: int
    share: float
    predictions: NDArray[np.float64]
    validation_mae: float


def replay(subject: Subject) -> Iterator[Checkpoint]:
    """Train one replica again, in the way that its run has, or would have; yield before it, and after each validation.

    A training is a function of its options and seed, so this is the training of the run but for rounding: one replica
    alone, without a compiler.

    Args:
        subject: the model, of one target.

    Raises:
        InputError: each seed tunes itself, and no run tells what it chose.
        DivergedError: the loss is no longer finite.
    """
    config, target, seed = subject.point.resolved, subject.targets[0], subject.seed
    trial, share = _chosen(subject.record, target, seed)
    if subject.point.config.tuning is not None and trial is None:
        raise InputError("a training that tunes itself can be done again only once it is done: `ibbench train` first")
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"compile": False})})
    task, state = prepare(
        config, subject.point.dataset, subject.point.split, choose_device(config.device), [Replica(target, seed)],
        [trial] if trial else None,
    )  # fmt: skip
    steps = measure_length(config.trainer, subject.point.split.train_size, share).steps
    yield Checkpoint(0, 0.0, _predict(subject, state.models), float("nan"))
    for now in train(task, state, config, share=share):
        mae = float(now.history[-1]["validation_mae"])
        with now.averaged():
            predictions = _predict(subject, now.models)
        yield Checkpoint(now.step, now.step / steps, predictions, mae)


def _predict(subject: Subject, models: Replicas) -> NDArray[np.float64]:
    chunks = subject.train_index.split(PREDICTION_BATCH)
    return models.predict(subject.molecules(chunk) for chunk in chunks)[0].double().cpu().numpy()


def _chosen(record: Record | None, target: str, seed: int) -> tuple[Trial | None, float]:
    """Return the hyper-parameters that a replica has chosen, and for which share of the steps it was trained."""
    entries = record.replicas if record else ()
    trials = next((one.trials for one in entries if (one.target, one.seed) == (target, seed)), ())
    if not trials:
        return None, 1.0
    last = trials[-1]
    return Trial(last.lr, last.weight_decay, last.dropout), last.steps / max(trial.steps for trial in trials)


def difference_from_record(run: Path | None, target: str, seed: int, moments: list[Checkpoint]) -> float | None:
    """Return the largest difference of the validation MAE from what the run has recorded, over what it has recorded.

    Args:
        run: the folder of the run; None where there is none.
        target: that was predicted.
        seed: of the replica.
        moments: of the training that was done again.

    Returns:
        None where nothing was recorded of it.

    Raises:
        BrokenError: the history of the run cannot be read.
    """
    if run is None or not (run / HISTORY).exists():
        return None
    rows = [row for row in read_history(run) if (row["target"], row["seed"]) == (target, seed)]
    recorded = {row["step"]: row["validation_mae"] for row in rows}  # of several trainings the last
    known = [abs(one.validation_mae / recorded[one.step] - 1) for one in moments if recorded.get(one.step)]
    return max(known) if known else None
