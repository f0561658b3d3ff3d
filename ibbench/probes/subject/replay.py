"""A training that is done again, to see the weights, or the predictions of train molecules, along the way."""

from collections.abc import Iterator, Sequence
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
    """Predictions and error of a model after some steps of its training.

    Attributes:
        step: number of steps that were done.
        share: number of steps that were done over that of all steps, from 0 to 1.
        predictions: normalised predictions of the train molecules that are looked at, `[n]`.
        validation_mae: validation MAE in the target's unit; NaN before the first step.
    """

    step: int
    share: float
    predictions: NDArray[np.float64]
    validation_mae: float


class Stage(NamedTuple):
    """A model after some steps of its training.

    Attributes:
        step: number of steps that were done.
        share: number of steps that were done over that of all steps, from 0 to 1.
        models: the replica, whose weights change as the training goes on.
        validation_mae: validation MAE in the target's unit; NaN before the first step.
    """

    step: int
    share: float
    models: Replicas
    validation_mae: float


def replay(subject: Subject) -> Iterator[Checkpoint]:
    """Train one replica again, see `retrain`, and predict train molecules along the way.

    Args:
        subject: the model, with a single target.

    Raises:
        InputError: see `retrain`.
        DivergedError: the loss is no longer finite.
    """
    for stage in retrain(subject):
        yield Checkpoint(stage.step, stage.share, _predict(subject, stage.models), stage.validation_mae)


def retrain(subject: Subject) -> Iterator[Stage]:
    """Train one replica again, in the way in which its run was, or would be, trained.

    A training follows from its options and seed. So apart from rounding this is the training of the run, though with
    one replica alone, and without a compiler.

    Args:
        subject: the model, with a single target.

    Yields:
        The state before the first step, and after each validation.

    Raises:
        InputError: seeds tune themselves, and no finished run says which hyper-parameters this seed has chosen.
        DivergedError: the loss is no longer finite.
    """
    config, target, seed = subject.point.resolved, subject.targets[0], subject.seed
    trial, share = chosen_trial(subject.record, target, seed)
    if subject.point.config.tuning is not None and trial is None:
        raise InputError("a training that tunes itself can be done again only once it is done: `ibbench train` first")
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"compile": False})})
    task, state = prepare(
        config, subject.point.dataset, subject.point.split, choose_device(config.device), [Replica(target, seed)],
        [trial] if trial else None,
    )  # fmt: skip
    steps = measure_length(config.trainer, subject.point.split.train_size, share).steps
    yield Stage(0, 0.0, state.models, float("nan"))
    for now in train(task, state, config, share=share):
        with now.averaged():
            yield Stage(now.step, now.step / steps, now.models, float(now.history[-1]["validation_mae"]))


def _predict(subject: Subject, models: Replicas) -> NDArray[np.float64]:
    chunks = subject.train_index.split(PREDICTION_BATCH)
    return models.predict(subject.molecules(chunk) for chunk in chunks)[0].double().cpu().numpy()


def chosen_trial(record: Record | None, target: str, seed: int) -> tuple[Trial | None, float]:
    """Return the hyper-parameters that a replica has chosen, and the share of all steps that it was trained for.

    None and 1 if the record has no trials of this replica.
    """
    entries = record.replicas if record else ()
    trials = next((one.trials for one in entries if (one.target, one.seed) == (target, seed)), ())
    if not trials:
        return None, 1.0
    last = trials[-1]
    return Trial(last.lr, last.weight_decay, last.dropout), last.steps / max(trial.steps for trial in trials)


def difference_from_record(
    run: Path | None, target: str, seed: int, moments: Sequence[Checkpoint | Stage]
) -> float | None:
    """Return the largest relative difference between the validation MAEs of a replay and those that its run recorded.

    Args:
        run: the folder of the run; None if there is none.
        target: the short name of the target.
        seed: the seed of the replica.
        moments: the checkpoints, or stages, of the replay.

    Returns:
        The difference over the recorded MAE; None if the run has recorded no MAE of this replica at these steps.

    Raises:
        BrokenError: the history of the run cannot be read.
    """
    if run is None or not (run / HISTORY).exists():
        return None
    rows = [row for row in read_history(run) if (row["target"], row["seed"]) == (target, seed)]
    recorded = {row["step"]: row["validation_mae"] for row in rows}  # a later row of a step replaces an earlier one
    known = [abs(one.validation_mae / recorded[one.step] - 1) for one in moments if recorded.get(one.step)]
    return max(known) if known else None
