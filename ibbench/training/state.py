"""What changes while replicas train."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ibbench.training.average import average_in
from ibbench.training.optim import StackedOptimizer
from ibbench.training.replicas import Replicas

HISTORY_COLUMNS = {
    "step": "steps done",
    "epoch": "passes over the train subset that these are",
    "target": "short name of the target of the replica",
    "seed": "seed of the replica",
    "learning_rate": "learning rate of the step before the validation",
    "train_loss": "mean loss since the validation before, on normalised targets; of a class its log loss in nats",
    "validation_mae": "mean absolute error on the validation molecules, in the unit of the target; of a class its log "
    "loss in nats",
}


@dataclass
class State:
    """All that changes while training; what a checkpoint holds.

    Attributes:
        models: the replicas' current weights.
        optimizer: the optimizer of all replicas.
        average: the average of the weights over the latest steps, name -> `[R, ...]`; None if nothing is averaged.
        best: the weights of each replica at its best validation (their average if there is one), with the buffers of
            that moment, name -> `[R, ...]`.
        best_mae: the validation MAE of `best` in the target's unit, float64 `[R]`.
        best_step: the number of steps that were done at the best validation, int64 `[R]`.
        stopped: whether each replica has run out of patience, or diverged, bool `[R]`.
        step: the number of steps that are done.
        pending: the number of steps since the last validation.
        pending_molecules: the number of molecules that each replica was trained on in the pending steps.
        loss_sum: the sum of the losses of these molecules, float32 `[R]`.
        first_bad_step: the first of the pending steps whose loss was not finite, int64 `[R]`, or -1.
        history: one row per replica and validation, with `HISTORY_COLUMNS`.
        train_seconds: time spent on training steps; validation is counted apart.
        validation_seconds: time spent on validations.
    """

    models: Replicas
    optimizer: StackedOptimizer
    best: dict[str, Tensor]
    best_mae: Tensor
    best_step: Tensor
    stopped: Tensor
    loss_sum: Tensor
    first_bad_step: Tensor
    average: dict[str, Tensor] | None = None
    step: int = 0
    pending: int = 0
    pending_molecules: int = 0
    history: list[dict[str, float | int | str]] = field(default_factory=list)
    train_seconds: float = 0.0
    validation_seconds: float = 0.0

    @classmethod
    def start(cls, models: Replicas, optimizer: StackedOptimizer, averaged: bool = False) -> "State":
        """Return the state before the first step; `averaged` says whether weights are averaged over steps."""
        count = len(models)
        return cls(
            models=models,
            optimizer=optimizer,
            best=models.snapshot(),
            best_mae=torch.full((count,), torch.inf, dtype=torch.float64),
            best_step=torch.zeros(count, dtype=torch.int64),
            stopped=torch.zeros(count, dtype=torch.bool),
            loss_sum=torch.zeros(count, device=models.device),
            first_bad_step=torch.full((count,), -1, device=models.device),
            average=models.snapshot() if averaged else None,
        )

    def average_in(self, length: int) -> None:
        """Move the average of the weights, taken over `length` steps, towards those of the latest step."""
        if self.average is not None:
            average_in(self.average, self.models.parameters | self.models.buffers, self.step, length)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the models the average of their weights, if there is one, inside a `with` block."""
        if self.average is None:
            yield
            return
        latest = self.models.snapshot()
        self.models.load(self.average)
        yield
        self.models.load(latest)

    def keep_best(self, validation_mae: Tensor, patience: int | None, which: Literal["best", "last"] = "best") -> None:
        """Keep the weights of replicas that are better than ever, and stop those that have run out of patience.

        Args:
            validation_mae: the validation MAE of the current weights, float64 `[R]`.
            patience: the number of steps without a better error after which a replica stops; None for no limit.
            which: `last` to keep the current weights whatever their error, so that `best` has the last ones in the end.
        """
        improved = ((validation_mae < self.best_mae) | (which == "last")) & ~self.stopped
        self.best_mae = torch.where(improved, validation_mae, self.best_mae)
        self.best_step = torch.where(improved, self.step, self.best_step)
        for name, current in self.models.snapshot().items():
            shape = (-1, *[1] * (current.dim() - 1))
            self.best[name] = torch.where(improved.to(current.device).view(shape), current, self.best[name])
        if patience is not None:
            self.stopped |= self.step - self.best_step >= patience
