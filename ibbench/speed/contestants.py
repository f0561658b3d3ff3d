"""Contestants of a timing: this package's own training, and a peer's, on the same molecules."""

import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from ibbench.data.molecules import Molecules
from ibbench.run.plan import Point
from ibbench.speed.columns import PHASES
from ibbench.speed.peers import PEERS, flatten_molecules, unpack
from ibbench.training.chunk import choose_chunk
from ibbench.training.compiled import CompiledForward
from ibbench.training.loop import prepare
from ibbench.training.optim import LOSSES, clip_gradients, plain_optimizer
from ibbench.training.packs import list_replicas
from ibbench.training.replicas import PREDICTION_BATCH
from ibbench.training.step import Step

Phase = Literal["train", "infer"]
_CPU = torch.device("cpu")


class Entry(NamedTuple):
    """One of the contestants that a timing compares.

    Attributes:
        who: `ours` for this package, `peer` for the same architecture out of PyTorch Geometric's parts.
        replicas: how many replicas train at once; the peer trains one.
        compiled: whether the training step and the prediction, or the peer's model, are compiled.
    """

    who: Literal["ours", "peer"]
    replicas: int
    compiled: bool


class Contestant(Protocol):
    """A way to train and predict that can be timed; both methods return the seconds that they took."""

    def train(self, num_steps: int) -> float:
        """Take training steps."""

    def infer(self, num_steps: int) -> float:
        """Predict batches of molecules."""

    def molecules_per_step(self, phase: Phase) -> int:
        """Return how many molecules a step takes, of all replicas together."""


def build_contestant(entry: Entry, point: Point) -> Contestant:
    """Build a contestant that trains and predicts the molecules of a point."""
    return Ours(point, entry.replicas, entry.compiled) if entry.who == "ours" else Peer(point, entry.compiled)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given, which a timing must; a CPU is done at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Ours:
    """This package's training, from the parts of its training loop, one step at a time.

    Args:
        point: the model, the data and how it trains.
        replicas: how many replicas train at once.
        compiled: whether the training step and the prediction are compiled.

    Attributes:
        phases: the seconds that each of `PHASES` has taken so far.
    """

    def __init__(self, point: Point, replicas: int, compiled: bool) -> None:
        config = point.resolved
        self._config = config
        chosen = list_replicas(config)[:replicas]
        self._task, self._state = prepare(config, point.dataset, point.split, torch.device("cpu"), chosen)
        self._step = Step(self._state.models, LOSSES[config.loss], compiled)
        self._batches = cycle(_full_batches(self._task.subsets.shape, config.trainer.batch_size))
        self._chunk = chunk_of(point, replicas)
        index = self._task.subsets[0]
        self._chunks = cycle([chunk for chunk in index.split(self._chunk) if len(chunk) == self._chunk])
        models = self._state.models
        self._forward: Callable[[Molecules], Tensor] = CompiledForward(models, self._chunk) if compiled else models
        self.phases = dict.fromkeys(PHASES, 0.0)

    def molecules_per_step(self, phase: Phase) -> int:
        """Return how many molecules a step takes, of all replicas together."""
        return len(self._task.replicas) * (self._config.trainer.batch_size if phase == "train" else self._chunk)

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
        """Predict batches of molecules, the same ones with all replicas, as `ibbench predict` does."""
        task, models = self._task, self._state.models
        models.eval()
        started = time.perf_counter()
        for _ in range(num_steps):
            self._forward(task.molecules.select(next(self._chunks)))
        return time.perf_counter() - started


class Peer:
    """One model out of PyTorch Geometric's parts, with PyTorch Geometric's loader.

    Args:
        point: the model, the data and how it trains.
        compiled: whether the model is compiled.
        device: where it trains and predicts; the loader works on the CPU.
    """

    def __init__(self, point: Point, compiled: bool, device: torch.device = _CPU) -> None:
        config, dataset = point.resolved, point.dataset
        self._config, self._device = config, device
        index = point.split.of_target(config.targets[0]).train_subset(config.seeds[0])
        molecules = dataset.molecules.select(index)
        values = dataset.values[index, dataset.column(config.targets[0])]
        labels = ((values - values.mean()) / values.std()).float()
        flat = flatten_molecules(molecules.atoms, molecules.bonds)
        graphs = molecules.to_pyg()
        for graph, label, row in zip(graphs, labels, flat, strict=True):
            graph.y = label
            if config.model.name == "mlp":
                graph.flat = row[None]
        model = PEERS[config.model.name](molecules.padding, config.model).to(device)
        self._chunk = _chunk(len(graphs))
        self._optimizer = plain_optimizer(config.optimizer, list(model.parameters()))
        self._train_batches = _endless(DataLoader(graphs, config.trainer.batch_size, shuffle=True, drop_last=True))
        self._infer_batches = _endless(DataLoader(graphs, self._chunk, drop_last=True))
        self._plain = model
        # Batches have different numbers of atoms: with fixed sizes, torch would compile the model again and again.
        self._model = torch.compile(model, dynamic=True) if compiled else model

    def molecules_per_step(self, phase: Phase) -> int:
        """Return how many molecules a step takes."""
        return self._config.trainer.batch_size if phase == "train" else self._chunk

    def train(self, num_steps: int) -> float:
        """Take training steps, loading included."""
        self._plain.train()
        started = time.perf_counter()
        for _ in range(num_steps):
            batch = next(self._train_batches).to(self._device)
            loss = LOSSES[self._config.loss](self._model(*unpack(batch)), batch.y)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        wait_for(self._device)
        return time.perf_counter() - started

    @torch.no_grad()
    def infer(self, num_steps: int) -> float:
        """Predict batches of molecules, loading included."""
        self._plain.eval()
        started = time.perf_counter()
        for _ in range(num_steps):
            self._model(*unpack(next(self._infer_batches).to(self._device)))
        wait_for(self._device)
        return time.perf_counter() - started


def chunk_of(point: Point, replicas: int) -> int:
    """Return how many molecules some replicas of ours predict at a time."""
    padding = point.dataset.molecules.padding
    return min(choose_chunk(padding, point.resolved.model, replicas, torch.device("cpu")), point.split.train_size)


def _chunk(count: int) -> int:
    """Return how many molecules the peer predicts at a time, if there are `count`: as many as one replica of ours."""
    return min(PREDICTION_BATCH, count)


def _endless(loader: DataLoader) -> Iterator[Data]:
    while True:
        yield from loader


def _full_batches(shape: torch.Size, batch_size: int) -> list[Tensor]:
    replicas, size = shape
    order = torch.stack([torch.randperm(size) for _ in range(replicas)])
    return [batch for batch in order.split(batch_size, dim=1) if batch.shape[1] == batch_size]
