"""The training loop: epochs, validation, early stopping, and the best weights of each replica."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from ibbench.data.dataset import DataSet
from ibbench.data.graphs import altered_molecules, random_order
from ibbench.data.molecules import Molecules
from ibbench.data.splits import Split
from ibbench.errors import DivergedError
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.training.metrics import mean_absolute_error
from ibbench.training.optim import LOSSES, build_optimizer, clip_gradients, learning_rate_factor
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas
from ibbench.training.scaling import TargetScaling, Truth, atom_statistics
from ibbench.training.step import Step


class Task(NamedTuple):
    """What a run's replicas are trained on, on the training device.

    Attributes:
        replicas: the R (target, seed) pairs, in the order of every first dimension `[R, ...]`.
        split: which molecules train, validate and test.
        subsets: indices of the train molecules of each replica, int64 `[R, n]`.
        labels: their normalised targets, float32 `[R, n]`.
        truth: the targets of all molecules, in their units, on the CPU.
        scaling: between normalised targets and their units.
        molecules: the whole data set, as far as the model reads it.
        augmentation: `relabel` numbers the atoms anew each time that a molecule is trained on; `none` does not.
    """

    replicas: list[Replica]
    split: Split
    subsets: Tensor
    labels: Tensor
    truth: Truth
    scaling: TargetScaling
    molecules: Molecules
    augmentation: str

    def train_batch(self, batch: Tensor, step: int) -> tuple[Molecules, Tensor]:
        """Return molecules `[R, B, ...]` and labels `[R, B]` to train on.

        Args:
            batch: places in the train subset of each replica, int64 `[R, B]`.
            step: counted from the start of the training; it fixes the augmentation.
        """
        index = self.subsets.gather(1, batch)
        molecules = self.molecules.select(index)
        if self.augmentation == "relabel":
            keys = self._draw(molecules.mask.shape[1:], step).to(index.device)
            molecules = molecules.relabel(random_order(molecules.mask, keys))
        return molecules, self.labels.gather(1, batch)

    def _draw(self, shape: torch.Size, step: int) -> Tensor:
        """Draw numbers in [0, 1), `[R, *shape]`: for each replica a function of its seed and the step alone."""
        # `_batch_order` draws from the same streams: step k is augmented with the numbers that shuffle epoch k, and
        # step 1,000,003 of a seed repeats the first step of the next seed. They must be separated by purpose at the
        # next change of the records' schema; before that, runs would change their numbers and keep their names.
        generator = torch.Generator()
        drawn = {
            seed: torch.rand(shape, generator=generator.manual_seed(seed * 1_000_003 + step))
            for seed in {seed for _, seed in self.replicas}
        }
        return torch.stack([drawn[seed] for _, seed in self.replicas])


@dataclass
class State:
    """All that changes while training; what a checkpoint holds.

    Attributes:
        models: the replicas' current weights.
        optimizer: acts on all of them at once.
        best: their weights at their best validation epoch, with the buffers of that epoch.
        best_mae: validation MAE of `best` in the target's unit, float64 `[R]`.
        best_epoch: the epoch it was reached at, int64 `[R]`, counted from 1.
        stopped: which replicas have run out of patience, bool `[R]`.
        epoch: how many epochs are done.
        batch: how many steps of the next one are done.
        loss_sum: over the molecules of these steps, float32 `[R]`.
        first_bad_step: the first of these whose loss was not finite, int64 `[R]`, counted from the start of the
            training, or -1.
        history: one row a replica and epoch.
        train_seconds: time spent on training steps; validation is counted apart.
    """

    models: Replicas
    optimizer: Optimizer
    best: dict[str, Tensor]
    best_mae: Tensor
    best_epoch: Tensor
    stopped: Tensor
    loss_sum: Tensor
    first_bad_step: Tensor
    epoch: int = 0
    batch: int = 0
    history: list[dict[str, float | int | str]] = field(default_factory=list)
    train_seconds: float = 0.0
    validation_seconds: float = 0.0


def prepare(
    config: Config, dataset: DataSet, split: Split, device: torch.device, replicas: list[Replica]
) -> tuple[Task, State]:
    """Draw the train subsets, fit the scaling, and initialise replicas of one run.

    Args:
        config: the run, resolved.
        dataset: the molecules, on the CPU.
        split: of that data set.
        device: where to train.
        replicas: which of the run's replicas train together.
    """
    subset_of = {seed: split.train_subset(seed) for _, seed in replicas}
    statistics_of = {seed: atom_statistics(dataset.molecules.select(subset)) for seed, subset in subset_of.items()}
    means, scales = zip(*(statistics_of[seed] for _, seed in replicas), strict=True)
    subsets = torch.stack([subset_of[seed] for _, seed in replicas])
    truth = Truth(dataset, replicas)
    scaling = TargetScaling.fit(truth, subsets, config.reference)
    models = Replicas.draw(
        config.model,
        dataset.molecules.padding.num_atoms,
        [seed for _, seed in replicas],
        {"atom_mean": torch.stack(means), "atom_scale": torch.stack(scales)},
        device,
        config.precision,
    )
    count = len(replicas)
    state = State(
        models=models,
        optimizer=build_optimizer(config.optimizer, list(models.parameters.values())),
        best=models.snapshot(),
        best_mae=torch.full((count,), torch.inf, dtype=torch.float64),
        best_epoch=torch.zeros(count, dtype=torch.int64),
        stopped=torch.zeros(count, dtype=torch.bool),
        loss_sum=torch.zeros(count, device=device),
        first_bad_step=torch.full((count,), -1, device=device),
    )
    reads = get_model(config.model.name).reads_with(config.model)
    molecules = altered_molecules(dataset, config.data.graph).keep(reads)
    task = Task(
        replicas,
        split,
        subsets.to(device),
        scaling.normalise(
            truth.values(subsets), truth.references(subsets), scaling.explained(truth.composition, subsets)
        ).to(device),
        truth,
        scaling,
        molecules.to(device),
        config.data.augmentation,
    )
    return task, state


def train(task: Task, state: State, config: Config, pause: Callable[[], bool] = lambda: False) -> Iterator[State]:
    """Train until the last epoch, or until every replica has run out of patience; yield after each epoch.

    Everything random is a function of (seed, epoch, step), so a state that was saved whenever this yields goes on
    exactly as if it had never been interrupted.

    Args:
        task: what to train on.
        state: where to start; it changes in place.
        config: the run, resolved; only with `trainer.compile=true` is the step compiled (see `Step`), which changes
            numbers by rounding only.
        pause: asked after each step; if it says so, yield within the epoch too (`state.batch` is not 0 then).

    Raises:
        DivergedError: a loss or a validation error is no longer finite.
    """
    step = Step(state.models, LOSSES[config.loss], config.trainer.compile is True)
    while state.epoch < config.trainer.epochs and not state.stopped.all():
        for _ in _train_epoch(task, state, config, step, pause):
            yield state
        started = time.perf_counter()
        validation_mae = _validate(task, state)
        losses, rate = state.loss_sum.cpu() / task.subsets.shape[1], _last_rate(state, config)
        _refuse_non_finite(task, state, validation_mae, rate)
        state.epoch += 1
        state.batch = 0
        state.loss_sum.zero_()
        state.first_bad_step.fill_(-1)
        _keep_best(state, validation_mae, config.trainer.patience)
        state.validation_seconds += time.perf_counter() - started
        state.history += [
            {
                "epoch": state.epoch,
                "target": target,
                "seed": seed,
                "learning_rate": rate,
                "train_loss": losses[row].item(),
                "validation_mae": validation_mae[row].item(),
            }
            for row, (target, seed) in enumerate(task.replicas)
        ]
        yield state


def _train_epoch(task: Task, state: State, config: Config, take: Step, pause: Callable[[], bool]) -> Iterator[None]:
    """Take what is left of one pass over the train subsets; yield within it when `pause` says so.

    Nothing here waits for the device, but for its end and a pause.
    """
    started = time.perf_counter()
    models = state.models
    parameters = list(models.parameters.values())
    batches = _batch_order(task, state.epoch).to(models.device).split(config.trainer.batch_size, dim=1)
    for batch in batches[state.batch :]:
        step = state.epoch * len(batches) + state.batch
        for group in state.optimizer.param_groups:
            group["lr"] = _rate(config, step, len(batches))
        models.train(step)
        loss = take(*task.train_batch(batch, step))
        if config.trainer.clip_norm is not None:
            clip_gradients(parameters, config.trainer.clip_norm)
        state.optimizer.step()
        state.loss_sum += loss * batch.shape[1]
        state.first_bad_step = torch.where((state.first_bad_step < 0) & ~loss.isfinite(), step, state.first_bad_step)
        state.batch += 1
        if pause() and state.batch < len(batches):
            state.loss_sum.cpu()  # waits for the device: what it still has to do counts as training
            state.train_seconds += time.perf_counter() - started
            yield
            started = time.perf_counter()
    state.loss_sum.cpu()
    state.train_seconds += time.perf_counter() - started


def _rate(config: Config, step: int, num_batches: int) -> float:
    """Return the learning rate of a step."""
    done = (step + 0.5) / (config.trainer.epochs * num_batches)
    return config.optimizer.lr * learning_rate_factor(config.schedule, done)


def _last_rate(state: State, config: Config) -> float:
    """Return the learning rate of the last step of an epoch."""
    return _rate(config, (state.epoch + 1) * state.batch - 1, state.batch)


def _batch_order(task: Task, epoch: int) -> Tensor:
    """Shuffle the train subset of each replica, `[R, n]`: a function of its seed and the epoch alone."""
    generator = torch.Generator()
    size = task.subsets.shape[1]
    order_of = {
        # The streams of `Task._draw`; see there before changing it.
        seed: torch.randperm(size, generator=generator.manual_seed(seed * 1_000_003 + epoch))
        for seed in {seed for _, seed in task.replicas}
    }
    return torch.stack([order_of[seed] for _, seed in task.replicas])


def _validate(task: Task, state: State) -> Tensor:
    prediction = predict(task, state.models, task.split.validation)
    return mean_absolute_error(prediction, task.truth.values(task.split.validation))


def _keep_best(state: State, validation_mae: Tensor, patience: int | None) -> None:
    improved = (validation_mae < state.best_mae) & ~state.stopped
    state.best_mae = torch.where(improved, validation_mae, state.best_mae)
    state.best_epoch = torch.where(improved, state.epoch, state.best_epoch)
    for name, current in state.models.snapshot().items():
        shape = (-1, *[1] * (current.dim() - 1))
        state.best[name] = torch.where(improved.to(current.device).view(shape), current, state.best[name])
    if patience is not None:
        state.stopped |= state.epoch - state.best_epoch >= patience


def _refuse_non_finite(task: Task, state: State, validation_mae: Tensor, rate: float) -> None:
    first_bad_step = state.first_bad_step.cpu()
    bad = ((first_bad_step >= 0) | ~validation_mae.isfinite()) & ~state.stopped
    if not bad.any():
        return
    row = int(bad.nonzero()[0])
    replica, step = task.replicas[row], int(first_bad_step[row])
    where = f"the loss was no longer finite at step {step}" if step >= 0 else "the validation error is not finite"
    raise DivergedError(
        f"{where} (epoch {state.epoch + 1}, target {replica.target}, seed {replica.seed}, learning rate {rate:.3g}). "
        "Try a smaller optimizer.lr, trainer.clip_norm=1, or schedule=warmup_cosine"
    )


def predict(task: Task, models: Replicas, index: Tensor) -> Tensor:
    """Predict the targets of molecules in their units, float64 `[R, m]`, on the CPU.

    Args:
        task: what the models were trained on.
        models: the replicas, with the weights to predict with.
        index: the molecules, `[m]` for the same ones for all replicas, `[R, m]` for some of each one's own.
    """
    chunks = index.to(models.device).split(PREDICTION_BATCH, dim=-1)
    normalised = models.predict(task.molecules.select(chunk) for chunk in chunks)
    index = index.cpu()
    explained = task.scaling.explained(task.truth.composition, index)
    return task.scaling.restore(normalised, task.truth.references(index), explained)
