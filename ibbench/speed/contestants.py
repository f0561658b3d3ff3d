"""Contestants of a timing: this package's own training, and a peer's, on the same molecules."""

import time
from collections.abc import Iterator
from itertools import cycle
from typing import Protocol

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from ibbench.run.plan import Point
from ibbench.speed.peers import PEERS, flatten_molecules
from ibbench.training.loop import prepare
from ibbench.training.optim import LOSSES, clip_gradients, plain_optimizer
from ibbench.training.packs import list_replicas
from ibbench.training.step import Step

PHASES = ("batching", "forward", "backward", "optimizer")


class Contestant(Protocol):
    """Something that can train and predict a number of molecules; both return the seconds that it took."""

    def train(self, num_steps: int) -> float:
        """Take training steps."""

    def infer(self, num_steps: int) -> float:
        """Predict batches of molecules."""

    @property
    def molecules_per_step(self) -> int:
        """How many molecules a step takes, of all replicas together."""


class Ours:
    """The training loop's own parts, taken one step at a time."""

    def __init__(self, point: Point) -> None:
        config = point.resolved
        self._config = config
        self._task, self._state = prepare(
            config, point.dataset, point.split, torch.device("cpu"), list_replicas(config)
        )
        self._step = Step(self._state.models, LOSSES[config.loss], config.trainer.compile is True)
        self._batches = cycle(_full_batches(self._task.subsets.shape, config.trainer.batch_size))
        self.phases = dict.fromkeys(PHASES, 0.0)

    @property
    def molecules_per_step(self) -> int:
        """How many molecules a step takes, of all replicas together."""
        return len(self._task.replicas) * self._config.trainer.batch_size

    def train(self, num_steps: int) -> float:
        """Take training steps, and note how long their phases took."""
        task, models, config = self._task, self._state.models, self._config
        begun = time.perf_counter()
        for step in range(num_steps):
            started = time.perf_counter()
            batch = next(self._batches)
            molecules, labels = task.train_batch(batch, step)
            batched = time.perf_counter()
            models.train(step)
            self._step(molecules, labels)
            differentiated = time.perf_counter()
            if config.trainer.clip_norm is not None:
                clip_gradients(list(models.parameters.values()), config.trainer.clip_norm)
            self._state.optimizer.step(1.0)
            done = time.perf_counter()
            forward = self._step.forward_seconds or differentiated - batched
            spent = (batched - started, forward, differentiated - batched - forward, done - differentiated)
            for phase, seconds in zip(PHASES, spent, strict=True):
                self.phases[phase] += seconds
        return time.perf_counter() - begun

    @torch.no_grad()
    def infer(self, num_steps: int) -> float:
        """Predict batches of molecules."""
        task, models = self._task, self._state.models
        models.eval()
        started = time.perf_counter()
        for _ in range(num_steps):
            models(task.molecules.select(task.subsets.gather(1, next(self._batches))))
        return time.perf_counter() - started


class Peer:
    """One model out of PyTorch Geometric's parts, with its loader; replicas would train one after another."""

    def __init__(self, point: Point) -> None:
        config, dataset = point.resolved, point.dataset
        self._config = config
        index = point.split.train_subset(config.seeds[0])
        molecules = dataset.molecules.select(index)
        values = dataset.values[index, dataset.column(config.targets[0])]
        labels = ((values - values.mean()) / values.std()).float()
        flat = flatten_molecules(molecules.atoms, molecules.bonds)
        graphs = molecules.to_pyg()
        for graph, label, row in zip(graphs, labels, flat, strict=True):
            graph.y = label
            if config.model.name == "mlp":
                graph.flat = row[None]
        self._loader = DataLoader(graphs, config.trainer.batch_size, shuffle=True, drop_last=True)
        self._model = PEERS[config.model.name](flat.shape[1], config.model)
        self._optimizer = plain_optimizer(config.optimizer, list(self._model.parameters()))
        self._batches = self._endless()

    @property
    def molecules_per_step(self) -> int:
        """How many molecules a step takes."""
        return self._config.trainer.batch_size

    def _endless(self) -> Iterator[Data]:
        while True:
            yield from self._loader

    def train(self, num_steps: int) -> float:
        """Take training steps, loading included."""
        self._model.train()
        started = time.perf_counter()
        for _ in range(num_steps):
            batch = next(self._batches)
            loss = LOSSES[self._config.loss](self._model(batch), batch.y)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        return time.perf_counter() - started

    @torch.no_grad()
    def infer(self, num_steps: int) -> float:
        """Predict batches of molecules, loading included."""
        self._model.eval()
        started = time.perf_counter()
        for _ in range(num_steps):
            self._model(next(self._batches))
        return time.perf_counter() - started


def _full_batches(shape: torch.Size, batch_size: int) -> list[Tensor]:
    replicas, size = shape
    order = torch.stack([torch.randperm(size) for _ in range(replicas)])
    return [batch for batch in order.split(batch_size, dim=1) if batch.shape[1] == batch_size]
