"""What replicas are trained on, and what they predict of it."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.data.splits import Split
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas
from ibbench.training.scaling import TargetScaling, Truth


def stream(purpose: str, seed: int, count: int) -> torch.Generator:
    """Return a generator of random numbers of its own for each purpose, seed and count, the same on all machines."""
    digest = hashlib.blake2b(f"{purpose} {seed} {count}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


class Task(NamedTuple):
    """What a run's replicas are trained on, on the training device.

    Attributes:
        replicas: the R (target, seed) pairs, in the order of every first dimension `[R, ...]`; a pair stands there
            once for each trial.
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
            step: the number of the step since the start of the training; it fixes the augmentation.
        """
        index = self.subsets.gather(1, batch)
        molecules = self.molecules.select(index)
        if self.augmentation == "relabel":
            keys = self._draw(molecules.mask.shape[1:], step).to(index.device)
            molecules = molecules.relabel(random_order(molecules.mask, keys))
        return molecules, self.labels.gather(1, batch)

    def _draw(self, shape: torch.Size, step: int) -> Tensor:
        """Draw numbers in [0, 1), `[R, *shape]`: for each replica a function of its seed and the step alone."""
        seeds = [seed for _, seed in self.replicas]
        drawn = {seed: torch.rand(shape, generator=stream("augmentation", seed, step)) for seed in set(seeds)}
        return torch.stack([drawn[seed] for seed in seeds])

    def batch_order(self, epoch: int) -> Tensor:
        """Shuffle the train subset of each replica, int64 `[R, n]`: a function of its seed and the epoch alone."""
        size, seeds = self.subsets.shape[1], [seed for _, seed in self.replicas]
        order = {seed: torch.randperm(size, generator=stream("order", seed, epoch)) for seed in set(seeds)}
        return torch.stack([order[seed] for seed in seeds])


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
