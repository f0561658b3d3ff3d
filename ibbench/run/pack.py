"""One pack of a run's replicas: trained from its checkpoint to its end, saved on the way, measured."""

import time
from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.record.lease import Lease
from ibbench.record.schema import MetricsEntry, ReplicaEntry
from ibbench.run.interrupt import asked, deferring, raise_if_asked
from ibbench.run.plan import Point
from ibbench.terminal import LiveLine, say, terminal
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import State, Task, predict, prepare, train
from ibbench.training.metrics import measure
from ibbench.training.progress import RunProgress
from ibbench.training.replicas import Replica
from ibbench.training.weights import to_tensors


class Trained(NamedTuple):
    """What a pack of replicas came to; every row is one of them."""

    entries: list[ReplicaEntry]
    truth: Tensor  # of the test molecules, float64 [R, M]
    prediction: Tensor  # float64 [R, M]
    weights: dict[str, Tensor]  # name -> [R, ...], on the CPU, with the scaling of inputs and targets
    elements: tuple[int, ...]  # atomic numbers, in the order of that scaling
    history: list[dict[str, float | int | str]]
    train_seconds: float
    validation_seconds: float
    molecules: int  # trained on, over all epochs


def train_pack(
    point: Point, lease: Lease, replicas: list[Replica], number: int, count: int, device: torch.device
) -> Trained:
    """Train one pack from its checkpoint, if there is one, to its end, and measure it.

    Args:
        point: the run.
        lease: of its folder, where the checkpoints are.
        replicas: of this pack.
        number: of this pack in its run, from 0.
        count: how many packs the run has.
        device: where to train.

    Raises:
        DivergedError: a loss stopped being finite.
        LostError: the run's folder is not this process's any more.
        Stopped: a signal has asked to stop; the state is saved.
    """
    config = point.resolved
    task, state = prepare(config, point.dataset, point.split, device, replicas)
    name = point.run if count == 1 else f"{point.run} ({number + 1} of {count})"
    checkpoints = Checkpoints(point.folder, number, point.facts | {"replicas": replicas})
    for problem in checkpoints.load(state):
        say(f"{name}: {problem}")
    if state.epoch or state.batch:
        step = f", step {state.batch} of the next" if state.batch else ""
        say(f"{name}: resuming after epoch {state.epoch}{step}")
    units = {target.name: target.unit for target in point.dataset.targets}
    saving = _Saving(checkpoints, lease, config.trainer.checkpoint_seconds, name)
    with LiveLine(terminal(), name, config.trainer.epochs) as line, deferring():
        progress = RunProgress(line, task, units)
        for _ in train(task, state, config, saving.is_due):
            if state.batch == 0:
                progress.update(state)
            if saving.is_due(epoch_ended=state.batch == 0):
                saving.save(state)
            raise_if_asked()
    if number + 1 < count:  # an interruption of a later pack must not lose this one
        saving.save(state)
    state.models.load(state.best)
    return _evaluate(point, task, state)


class _Saving:
    """When a state is saved, and what becomes of a training whose state cannot be."""

    def __init__(self, checkpoints: Checkpoints, lease: Lease, seconds: float, name: str) -> None:
        self._checkpoints, self._lease, self._seconds, self._name = checkpoints, lease, seconds, name
        self._saved_at = time.monotonic()
        self._failed = False

    def is_due(self, epoch_ended: bool = False) -> bool:
        """Whether a signal has asked to stop, or it is time."""
        if not self._seconds:
            return asked() or epoch_ended
        return asked() or time.monotonic() - self._saved_at >= self._seconds

    def save(self, state: State) -> None:
        """Save the state; a full disk does not end the training, which may find room for its results later."""
        self._lease.check()
        try:
            self._checkpoints.save(state)
        except OSError as error:
            if not self._failed:
                say(f"{self._name}: its state cannot be saved: {error.strerror or error}. The training goes on")
            self._failed = True
        self._saved_at = time.monotonic()


def _evaluate(point: Point, task: Task, state: State) -> Trained:
    """Measure each replica on train, validation and test molecules."""
    split = point.split
    predictions, truths = {}, {}
    for part, index in (
        ("train", task.subsets.cpu()),
        ("validation", split.validation),
        ("test", split.test),
    ):
        predictions[part] = predict(task, state.models, index)
        truths[part] = task.truth.values(index)
    entries = [
        ReplicaEntry(
            target=target,
            seed=seed,
            unit=point.dataset.targets[point.dataset.column(target)].unit,
            best_epoch=int(state.best_epoch[row]),
            epochs=_epochs_trained(state, row, point.resolved.trainer.patience),
            **{
                part: MetricsEntry(**measure(predictions[part][row], truths[part][row])._asdict())
                for part in predictions
            },
        )
        for row, (target, seed) in enumerate(task.replicas)
    ]
    return Trained(
        entries,
        truths["test"],
        predictions["test"],
        to_tensors(state.best, task.scaling),
        task.truth.elements,
        state.history,
        state.train_seconds,
        state.validation_seconds,
        task.subsets.numel() * state.epoch,
    )


def _epochs_trained(state: State, row: int, patience: int | None) -> int:
    """Return how many epochs counted for a replica: it goes on with the others when its patience is over."""
    stop = state.epoch if patience is None else int(state.best_epoch[row]) + patience
    return min(state.epoch, stop)
