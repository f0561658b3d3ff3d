"""One pack of a run's replicas: trained from its checkpoint to the end, saved on the way, and measured.

A pack goes through the stages of `options.trial`. In each stage the remaining trials of every replica train side by
side from the start; those with the lowest validation errors go on to the next stage.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.options.trial import Stage, Trial, draw_trials, list_stages
from ibbench.record.folder import study_folder
from ibbench.record.lease import Lease
from ibbench.record.schema import ReplicaEntry, TrialEntry
from ibbench.run.describe import describe_errors
from ibbench.run.interrupt import deferring, raise_if_asked
from ibbench.run.plan import Point
from ibbench.run.saving import Saving
from ibbench.terminal import ShowLine, mention, say, show_line
from ibbench.track.content import points_of
from ibbench.track.follow import Follower
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.length import measure_length
from ibbench.training.loop import prepare, train
from ibbench.training.progress import RunProgress
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task, predict
from ibbench.training.weights import to_tensors


class Place(NamedTuple):
    """How a run trains in its process: alone, or beside other runs in other processes.

    Attributes:
        show: function that begins a line of progress.
        pack_size: number of replicas that train at once, unless a state of packs of another size was saved; None for a
            run that trains alone and chooses the size by itself.
    """

    show: ShowLine = show_line
    pack_size: int | None = None


ALONE = Place()


class Trained(NamedTuple):
    """The result of training a pack of R replicas: one row per replica."""

    entries: list[ReplicaEntry]
    truth: Tensor  # true values of the test molecules, float64 [R, M] in target units; of atoms [R, M, N]
    prediction: Tensor  # predicted values of the same shape, in target units; of classes logits
    is_class: Tensor  # whether the target of a row is a class, bool [R]
    weights: dict[str, Tensor]  # name -> [R, ...], on the CPU, with the scaling of inputs and targets
    elements: tuple[int, ...]  # atomic numbers, in the order of that scaling
    history: list[dict[str, float | int | str]]
    train_seconds: float
    validation_seconds: float


class _Row(NamedTuple):
    """A replica with one of its trials, which trains as a row of the stacked models."""

    replica: Replica
    trial: Trial


class _Part(NamedTuple):
    """One stage of one pack.

    Attributes:
        name: name of the run, pack and stage, for messages.
        number: place among all parts of the run in the order of training, from 0; its checkpoints have this number.
        stage: number of the stage, from 1.
        share: share of the full number of steps.
        rows: replicas and trials that train side by side.
    """

    name: str
    number: int
    stage: int
    share: float
    rows: list[_Row]


def train_pack(
    point: Point, lease: Lease, replicas: list[Replica], number: int, count: int, device: torch.device, show: ShowLine
) -> Trained:
    """Train one pack from its checkpoint, if there is one, to its end, and measure it.

    Args:
        point: the planned run.
        lease: lock on the folder of the run, where the checkpoints are.
        replicas: the replicas of this pack.
        number: the place of this pack in its run, from 0.
        count: the number of packs of the run.
        device: the device to train on.
        show: function that begins a line of progress.

    Raises:
        DivergedError: the losses of all trials of a replica stopped being finite.
        LostError: this process no longer holds the lock of the run.
        Stopped: a signal has asked to stop; the state is saved.
    """
    passed = _go_through(point, lease, replicas, number, count, device, show, keep_last=number + 1 < count)
    return _evaluate(point, passed)


def advance_pack(
    point: Point, lease: Lease, replicas: list[Replica], number: int, count: int, device: torch.device, show: ShowLine
) -> None:
    """Train one pack as `train_pack` does, but only save its last states, for the process that owns the run.

    Arguments and errors are those of `train_pack`.
    """
    _go_through(point, lease, replicas, number, count, device, show, keep_last=True)


class _Passed(NamedTuple):
    """A pack after its last stage, with the trials, histories and times of all of its stages."""

    task: Task
    state: State
    trials: dict[Replica, list[TrialEntry]]
    history: list[dict[str, float | int | str]]
    molecules: int  # that each replica was trained on, in all of its trials; one counts each time
    train_seconds: float
    validation_seconds: float


def _go_through(
    point: Point,
    lease: Lease,
    replicas: list[Replica],
    number: int,
    count: int,
    device: torch.device,
    show: ShowLine,
    keep_last: bool,
) -> _Passed:
    """Train a pack through all of its stages; with `keep_last` the final state of the last stage is saved, too."""
    stages = list_stages(point.config)
    rows = [_Row(replica, trial) for replica in replicas for trial in draw_trials(point.config, replica.seed)]
    name = point.run if count == 1 else f"{point.run} ({number + 1} of {count})"
    trials: dict[Replica, list[TrialEntry]] = {replica: [] for replica in replicas}
    history: list[dict[str, float | int | str]] = []
    molecules = 0
    train_seconds = validation_seconds = 0.0
    for at, stage in enumerate(stages):
        rows = _best(rows, trials, stage)
        title = name if len(stages) == 1 else f"{name}, stage {at + 1} of {len(stages)}"
        part = _Part(title, number * len(stages) + at, at + 1, stage.share, rows)
        task, state = _train_part(point, lease, part, device, show, keep=keep_last or at + 1 < len(stages))
        length = measure_length(point.resolved.trainer, point.split.train_size, stage.share)
        molecules += len(rows) // len(replicas) * length._replace(steps=state.step).molecules
        train_seconds += state.train_seconds
        validation_seconds += state.validation_seconds
        history += state.history if len(stages) == 1 else [{"stage": at + 1} | entry for entry in state.history]
        if len(stages) > 1:
            for replica, entry in _measure_trials(point, task, state, part, with_test=stage.share >= 0.5):
                trials[replica].append(entry)
    return _Passed(task, state, trials, history, molecules, train_seconds, validation_seconds)


def _best(rows: list[_Row], trials: dict[Replica, list[TrialEntry]], stage: Stage) -> list[_Row]:
    """Return the rows that go on to a stage: of each replica those with the lowest validation errors so far."""
    left = []
    for replica, done in trials.items():
        own = [row for row in rows if row.replica == replica]
        # The last entries are those of the stage before. A trial that diverged goes on only if no other is left.
        errors = [float("inf") if entry.validation_mae is None else entry.validation_mae for entry in done[-len(own) :]]
        order = sorted(range(len(own)), key=lambda at: errors[at]) if done else range(len(own))
        left += [own[at] for at in sorted(order[: stage.trials])]
    return left


def _train_part(
    point: Point, lease: Lease, part: _Part, device: torch.device, show: ShowLine, keep: bool
) -> tuple[Task, State]:
    """Train one stage of a pack; with `keep` its final state is saved, in case a later part is interrupted."""
    config = point.resolved
    replicas, trials = [row.replica for row in part.rows], [row.trial for row in part.rows]
    task, state = prepare(config, point.dataset, point.split, device, replicas, trials)
    length = measure_length(config.trainer, point.split.train_size, part.share)
    identity = point.facts | {"replicas": replicas, "trials": trials, "steps": length.steps}
    checkpoints = Checkpoints(point.folder, part.number, identity)
    for problem in checkpoints.load(state):
        say(f"{part.name}: {problem}")
    num_stages, follower = len(list_stages(config)), Follower(study_folder(config), point.run, config.log)
    follower.report(lambda: points_of(state.history, num_stages, part.stage))
    if state.step:
        mention(f"{part.name}: resuming after step {state.step:,}")
    if state.step == length.steps and not state.pending:
        state.models.load(state.best)
        return task, state
    units = {target.name: target.unit for target in point.dataset.targets}
    saving = Saving(checkpoints, lease, config.trainer.checkpoint_seconds, part.name)
    with show(part.name, length.steps) as line, deferring():
        progress = RunProgress(line, task, length, units)
        for _ in train(task, state, config, saving.is_due, part.share):
            if state.pending == 0:
                progress.update(state)
                follower.report(lambda: points_of(state.history[-len(part.rows) :], num_stages, part.stage))
            if saving.is_due(validated=state.pending == 0):
                saving.save(state)
            raise_if_asked()
    if keep:
        saving.save(state)
    state.models.load(state.best)
    return task, state


def _measure_trials(
    point: Point, task: Task, state: State, part: _Part, with_test: bool
) -> list[tuple[Replica, TrialEntry]]:
    """Return the errors of each row of a stage, with the test error if `with_test`."""
    length = measure_length(point.resolved.trainer, point.split.train_size, part.share)
    test = [None] * len(part.rows)
    if with_test and len(point.split.test):
        index = point.split.test
        prediction = predict(task, state.models, index)
        test = task.truth.mean_error(prediction, task.truth.values(index)).tolist()
    found = []
    for row, (replica, trial) in enumerate(part.rows):
        diverged = bool(state.best_mae[row].isinf())
        validation = None if diverged else float(state.best_mae[row])
        entry = TrialEntry(
            steps=length.steps, **trial._asdict(), validation_mae=validation, test_mae=None if diverged else test[row]
        )
        found.append((replica, entry))
    return found


def _evaluate(point: Point, passed: _Passed) -> Trained:
    """Measure each replica of a trained pack on its train, validation and test molecules.

    Train errors are against the labels that were trained on, which may be altered, and the others against the truth.
    """
    task, state, trials, *_ = passed
    split = point.split
    predictions, truths = {}, {}
    for part, index in (
        ("train", task.subsets.cpu()),
        ("validation", split.validation),
        ("test", split.test),
    ):
        truths[part] = task.given if part == "train" else task.truth.values(index)
        predictions[part] = predict(task, state.models, index) if index.numel() else truths[part]
    length = measure_length(point.resolved.trainer, split.train_size)
    patience = point.resolved.trainer.patience
    entries = []
    for row, replica in enumerate(task.replicas):
        steps = _steps_that_counted(state, row, None if patience is None else patience * length.interval)
        errors = {
            part: describe_errors(predictions[part][row], truths[part][row], task.truth.targets[row])
            for part in predictions
            if truths[part].numel()  # with data.test_size=0 nothing tests
        }
        entries.append(
            ReplicaEntry(
                target=replica.target,
                seed=replica.seed,
                unit=point.dataset.targets[point.dataset.column(replica.target)].unit,
                best_epoch=length.passes(int(state.best_step[row])),
                epochs=length.passes(steps),
                steps=steps,
                molecules=passed.molecules,
                trials=tuple(trials[replica]),
                **errors,
            )
        )
    return Trained(
        entries,
        truths["test"],
        predictions["test"],
        task.truth.is_class,
        to_tensors(state.best, task.scaling),
        task.truth.elements,
        passed.history,
        passed.train_seconds,
        passed.validation_seconds,
    )


def _steps_that_counted(state: State, row: int, patience: int | None) -> int:
    """Return the number of steps that counted for a replica.

    A replica whose patience is over goes on training with the others of its pack, but these steps do not count.
    """
    return state.step if patience is None else min(state.step, int(state.best_step[row]) + patience)
