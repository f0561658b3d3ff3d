"""The training loop: steps, validation, early stopping, and the best weights of each replica."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.graphs import altered_molecules
from ibbench.data.splits import Split
from ibbench.data.statistics import atom_statistics
from ibbench.errors import DivergedError
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.options.trial import Trial
from ibbench.training.kinds import truth_of
from ibbench.training.labels import given_labels
from ibbench.training.length import Length, measure_length
from ibbench.training.optim import StackedOptimizer, clip_gradients, learning_rate_factor
from ibbench.training.replicas import Replica, Replicas
from ibbench.training.sam import Differentiate, sharpness_aware
from ibbench.training.state import State
from ibbench.training.step import Step, compiled_as
from ibbench.training.subspace import SubspaceOptimizer
from ibbench.training.task import Task, loss_of, predict


def prepare(
    config: Config,
    dataset: DataSet,
    split: Split,
    device: torch.device,
    replicas: list[Replica],
    trials: Sequence[Trial] | None = None,
) -> tuple[Task, State]:
    """Draw the train subsets, fit the scaling, and initialise replicas of one run.

    Args:
        config: the run, resolved.
        dataset: the molecules, on the CPU.
        split: the division of that data set.
        device: the device to train on.
        replicas: the R replicas that train together; a replica with several trials is listed once for each.
        trials: the hyper-parameters of each entry of `replicas`; None for the values of the config.

    Returns:
        The molecules and labels to train on, and the state before the first step.
    """
    task = _prepare_task(config, dataset, split, device, replicas)
    subset_of = _draw_subsets(split, replicas)
    atoms = dataset.molecules.keep(set())
    statistics_of = {key: atom_statistics(atoms.select(subset)) for key, subset in subset_of.items()}
    statistics = zip(*(statistics_of[_subset_key(split, replica)] for replica in replicas), strict=True)
    mean, scale = map(torch.stack, statistics)
    if get_model(config.model.name).reconstructs:  # of counts, so that rare features have no more weight than others
        scale = torch.ones_like(scale)
    if not config.data.standardise:
        mean, scale = torch.zeros_like(mean), torch.ones_like(scale)
    models = Replicas.draw(
        config.model,
        dataset.molecules.padding,
        [seed for _, seed in replicas],
        {"atom_mean": mean, "atom_scale": scale},
        device,
        config.precision,
    )
    if trials is None:
        trials = [Trial(config.optimizer.lr, config.optimizer.weight_decay, config.model.dropout)] * len(replicas)
    models.set_dropout([trial.dropout for trial in trials])
    optimizer = _build_optimizer(config, models, [seed for _, seed in replicas], trials)
    return task, State.start(models, optimizer, averaged=config.trainer.average is not None)


def _build_optimizer(
    config: Config, models: Replicas, seeds: Sequence[int], trials: Sequence[Trial]
) -> StackedOptimizer:
    weights = list(models.parameters.values())
    rates, decays = [trial.lr for trial in trials], [trial.weight_decay for trial in trials]
    if config.trainer.subspace is None:
        return StackedOptimizer(config.optimizer, weights, rates, decays)
    return SubspaceOptimizer(config.optimizer, weights, rates, decays, seeds, config.trainer.subspace)


def _prepare_task(
    config: Config, dataset: DataSet, split: Split, device: torch.device, replicas: list[Replica]
) -> Task:
    subset_of = _draw_subsets(split, replicas)
    subsets = torch.stack([subset_of[_subset_key(split, replica)] for replica in replicas])
    truth = truth_of(dataset, replicas)
    given = given_labels(truth, split, replicas, config.data)
    scaling = truth.fit(subsets, config.reference, given, centre=config.data.centre)
    reads = get_model(config.model.name).reads_with(config.model)
    return Task(
        replicas,
        split,
        subsets.to(device),
        given,
        truth.normalise(scaling, given, subsets).to(device),
        truth,
        scaling,
        altered_molecules(dataset, config.data.graph, config.data.features).keep(reads).to(device),
        config.data.augmentation,
        twice=config.trainer.symmetry_penalty > 0,
    )


def _draw_subsets(split: Split, replicas: list[Replica]) -> dict[Replica, Tensor]:
    """Draw each different train subset once: replicas of one seed share it, unless molecules lack their target."""
    keys = dict.fromkeys(_subset_key(split, replica) for replica in replicas)
    return {key: split.of_target(key.target).train_subset(key.seed) for key in keys}


def _subset_key(split: Split, replica: Replica) -> Replica:
    return replica if replica.target in split.unlabelled else Replica("", replica.seed)


def train(
    task: Task, state: State, config: Config, pause: Callable[[], bool] = lambda: False, share: float = 1.0
) -> Iterator[State]:
    """Train until the last step, or until every replica has run out of patience; yield after each validation.

    Everything random is a function of (seed, step). So a training that continues from a state that was saved after a
    yield takes exactly the steps that it would have taken without the interruption.

    Args:
        task: the molecules and labels to train on.
        state: the state to start from; it changes in place.
        config: the run, resolved; only with `trainer.compile=true` or `graphs` is the step compiled (see `Step`),
            which changes numbers by rounding only.
        pause: a function that is asked after each step; if it returns true, yield before the next validation, too
            (`state.pending` is then not 0).
        share: the share, in (0, 1], of the steps in the config that are taken.

    Yields:
        `state`, after it has changed.

    Raises:
        DivergedError: a loss or a validation error is no longer finite, for all trials of a replica.
    """
    step = Step(state.models, loss_of(task, config.loss), compiled_as(config), config.trainer.symmetry_penalty)
    differentiate = sharpness_aware(step, state.models, config.optimizer)
    length = measure_length(config.trainer, task.subsets.shape[1], share)
    patience = None if config.trainer.patience is None else config.trainer.patience * length.interval
    while state.step < length.steps and not state.stopped.all():
        for _ in _train_until_validation(task, state, config, length, differentiate, pause):
            yield state
        started = time.perf_counter()
        rate = learning_rate_factor(config.schedule, (state.step - 0.5) / length.steps)
        with state.averaged():
            validation_mae = _validate(task, state)
            _stop_diverged(task, state, validation_mae, rate)
            state.keep_best(validation_mae, patience, config.trainer.keep)
        losses = state.loss_sum.cpu() / state.pending_molecules
        state.history += [
            {
                "step": state.step,
                "epoch": length.passes(state.step),
                "target": target,
                "seed": seed,
                "learning_rate": rate * state.optimizer.rates[row],
                "train_loss": losses[row].item(),
                "validation_mae": validation_mae[row].item(),
            }
            for row, (target, seed) in enumerate(task.replicas)
        ]
        state.pending = state.pending_molecules = 0
        state.loss_sum.zero_()
        state.first_bad_step.fill_(-1)
        state.validation_seconds += time.perf_counter() - started
        yield state


def _train_until_validation(
    task: Task, state: State, config: Config, length: Length, differentiate: Differentiate, pause: Callable[[], bool]
) -> Iterator[None]:
    """Take the steps until the next validation; yield between them when `pause` returns true.

    Steps are only queued on the device: the function waits for it at a pause and at the end.
    """
    started = time.perf_counter()
    models = state.models
    parameters = list(models.parameters.values())
    end = min(state.step - state.pending + length.interval, length.steps)
    batches: tuple[Tensor, ...] = ()
    while state.step < end:
        epoch, place = divmod(state.step, length.batches)
        if not batches or place == 0:
            batches = task.batch_order(epoch).to(models.device).split(length.batch_size, dim=1)
        batch = batches[place]
        models.train(state.step)
        loss = differentiate(*task.train_batch(batch, state.step))
        if config.trainer.clip_norm is not None:
            clip_gradients(parameters, config.trainer.clip_norm)
        state.optimizer.step(learning_rate_factor(config.schedule, (state.step + 0.5) / length.steps))
        state.loss_sum += loss * batch.shape[1]
        bad = (state.first_bad_step < 0) & ~loss.isfinite()
        state.first_bad_step = torch.where(bad, state.step, state.first_bad_step)
        state.step += 1
        if config.trainer.average is not None:
            state.average_in(config.trainer.average)
        state.pending += 1
        state.pending_molecules += batch.shape[1]
        if pause() and state.step < end:
            state.loss_sum.cpu()  # waits for the device, so that steps in its queue count as training
            state.train_seconds += time.perf_counter() - started
            yield
            started = time.perf_counter()
    state.loss_sum.cpu()
    state.train_seconds += time.perf_counter() - started


def _validate(task: Task, state: State) -> Tensor:
    prediction = predict(task, state.models, task.split.validation)
    return task.truth.mean_error(prediction, task.truth.values(task.split.validation))


def _stop_diverged(task: Task, state: State, validation_mae: Tensor, factor: float) -> None:
    """Stop trials whose loss or error is no longer finite; raise `DivergedError` if a replica has no other trial."""
    first_bad_step = state.first_bad_step.cpu()
    bad = ((first_bad_step >= 0) | ~validation_mae.isfinite()) & ~state.stopped
    if not bad.any():
        return
    state.stopped |= bad
    state.best_mae[bad] = torch.inf
    for row in bad.nonzero().flatten().tolist():
        replica, step = task.replicas[row], int(first_bad_step[row])
        same = torch.tensor([other == replica for other in task.replicas])
        if state.best_mae[same & state.stopped].isinf().sum() < same.sum():
            continue
        what = "the loss" if step >= 0 else "the validation error"
        raise DivergedError(
            f"{what} was no longer finite at step {step if step >= 0 else state.step} (target {replica.target}, seed "
            f"{replica.seed}, learning rate {factor * state.optimizer.rates[row]:.3g}). Try a smaller optimizer.lr, "
            "trainer.clip_norm=1, or schedule=warmup_cosine"
        )
