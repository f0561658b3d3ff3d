"""The molecules and labels that replicas are trained on, and their predictions for these molecules."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.data.rotations import random_rotations
from ibbench.data.splits import Split
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas
from ibbench.training.scaling import TargetScaling
from ibbench.training.truth import Loss, Truth


def stream(purpose: str, seed: int, count: int) -> torch.Generator:
    """Return a random generator that depends on purpose, seed and count alone, and is the same on all machines."""
    digest = hashlib.blake2b(f"{purpose} {seed} {count}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


class Task(NamedTuple):
    """What a run's replicas are trained on, on the training device.

    Labels that are an array per molecule, such as those of atoms, have further dimensions behind those named here.

    Attributes:
        replicas: the R (target, seed) pairs, in the order of every first dimension `[R, ...]`; a pair with several
            trials is listed once for each.
        split: the molecules that train, validate and test.
        subsets: the indices of the train molecules of each replica, int64 `[R, n]`.
        given: the labels of these train molecules in the targets' units, float64 `[R, n]` on the CPU: their true
            targets, unless `data.labels` or `data.label_noise` alter them.
        labels: the same labels, normalised, and the classes 0 and 1, float32 `[R, n]`.
        truth: the targets of all molecules, in their units, on the CPU.
        scaling: the map between targets in their units and normalised ones.
        molecules: all molecules of the data set, without the fields that the model does not read.
        augmentation: what is done to a molecule each time that it is trained on: `relabel` numbers its atoms anew,
            `rotate` turns its coordinates about the origin at random, `none` does nothing.
        twice: whether train batches have every molecule a second time, its atoms in another order.
    """

    replicas: list[Replica]
    split: Split
    subsets: Tensor
    given: Tensor
    labels: Tensor
    truth: Truth
    scaling: TargetScaling
    molecules: Molecules
    augmentation: str
    twice: bool = False

    def train_batch(self, batch: Tensor, step: int) -> tuple[Molecules, Tensor]:
        """Return molecules `[R, B, ...]` and labels `[R, B]` to train on; with `twice`, molecules `[R, 2 B, ...]`.

        Args:
            batch: the molecules to take, as places in the train subset of each replica, int64 `[R, B]`.
            step: the number of the step since the start of the training; the augmentation depends on it.
        """
        index = self.subsets.gather(1, batch)
        molecules, labels = self.molecules.select(index), take_labels(self.labels, batch)
        if self.augmentation == "relabel":
            order = self._draw_order(molecules, "augmentation", step)
            molecules, labels = molecules.relabel(order), self.truth.relabel(labels, order)
        if self.augmentation == "rotate":
            molecules = self._rotate(molecules, step)
        if self.twice:
            again = molecules.relabel(self._draw_order(molecules, "second order", step))
            molecules = Molecules(*(torch.cat(pair, dim=1) for pair in zip(molecules, again, strict=True)))
        return molecules, labels

    def _draw_order(self, molecules: Molecules, purpose: str, step: int) -> Tensor:
        """Draw new orders of the atoms of molecules `[R, B, ...]`: for each replica by its seed and the step."""
        seeds, shape = [seed for _, seed in self.replicas], molecules.mask.shape[1:]
        drawn = {seed: torch.rand(shape, generator=stream(purpose, seed, step)) for seed in set(seeds)}
        keys = torch.stack([drawn[seed] for seed in seeds]).to(molecules.mask.device)
        return random_order(molecules.mask, keys)

    def _rotate(self, molecules: Molecules, step: int) -> Molecules:
        """Turn each of the molecules `[R, B, ...]` about the origin: for each replica a function of seed and step."""
        seeds, count = [seed for _, seed in self.replicas], molecules.mask.shape[1]
        drawn = {seed: random_rotations(count, stream("rotation", seed, step)) for seed in set(seeds)}
        rotations = torch.stack([drawn[seed] for seed in seeds]).to(molecules.positions)
        return molecules._replace(positions=molecules.positions @ rotations)

    def batch_order(self, epoch: int) -> Tensor:
        """Shuffle the train subset of each replica, int64 `[R, n]`: a function of its seed and the epoch alone."""
        size, seeds = self.subsets.shape[1], [seed for _, seed in self.replicas]
        order = {seed: torch.randperm(size, generator=stream("order", seed, epoch)) for seed in set(seeds)}
        return torch.stack([order[seed] for seed in seeds])


def take_labels(labels: Tensor, batch: Tensor) -> Tensor:
    """Return the labels `[R, B, ...]` at places `batch`, int64 `[R, B]`, of labels `[R, n, ...]`."""
    if labels.dim() == 2:
        return labels.gather(1, batch)
    return labels[torch.arange(len(labels), device=labels.device)[:, None], batch]


def loss_of(task: Task, name: str) -> Loss:
    """Return the loss that replicas are trained with: from predictions and labels, `[R, B, ...]` each, to `[R, B]`.

    Args:
        task: what the replicas are trained on.
        name: name of the loss of numbers, see `Truth.loss`.
    """
    return task.truth.loss(name, task.scaling, task.labels)


def predict(task: Task, models: Replicas, index: Tensor) -> Tensor:
    """Predict the targets of molecules in their units, and of classes logits, float64 `[R, m, ...]`, on the CPU.

    Args:
        task: what the models were trained on.
        models: the replicas, with the weights to predict with.
        index: the indices of the molecules, int64: `[m]` if they are the same for all replicas, else `[R, m]`.
    """
    chunks = index.to(models.device).split(PREDICTION_BATCH, dim=-1)
    normalised = models.predict(task.molecules.select(chunk) for chunk in chunks)
    return task.truth.restore(task.scaling, normalised, index.cpu())
