"""The subject of a probe: one model with the weights of one seed, its molecules, and its labels."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.data.rotations import random_rotations
from ibbench.errors import InputError
from ibbench.models.registry import Model, build_model
from ibbench.probes import Moment
from ibbench.probes.subject.jacobian import gram, jacobian
from ibbench.record.folder import WEIGHTS
from ibbench.record.schema import Record
from ibbench.run.plan import Point
from ibbench.training.device import choose_device
from ibbench.training.loop import prepare
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas, standardise
from ibbench.training.task import Task, stream
from ibbench.training.weights import read_weights

AUGMENTATIONS = 8  # random orders or rotations of a molecule over which gradients are averaged


class _Network(NamedTuple):
    """One network: weights and buffers by name, `[1, ...]` each, and a runner for any number of copies of them."""

    runner: Replicas
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


class Subject:
    """One model of a study with one seed. Results that several probes need are computed once, when first asked for.

    Args:
        point: the resolved options, with the data.
        seed: the seed that draws the weights and the train molecules.
        targets: short names of the targets: all targets at `init`, where one network serves for all of them; a single
            target for trained weights.
        moment: the weights to look at.
        limit: the largest number of molecules to look at.
        run: the folder with the trained weights, or with a history to compare a replay with; None at `init`.
        record: the record of that run, which a replay needs; None if there is none.

    Attributes:
        point: the argument `point`.
        seed: the argument `seed`.
        targets: the argument `targets`, as a tuple.
        moment: the argument `moment`.
        limit: the argument `limit`.
        run: the argument `run`.
        record: the argument `record`.
    """

    def __init__(
        self,
        point: Point,
        seed: int,
        targets: Sequence[str],
        moment: Moment,
        limit: int,
        run: Path | None = None,
        record: Record | None = None,
    ) -> None:
        self.point, self.seed, self.targets, self.moment = point, seed, tuple(targets), moment
        self.limit, self.run, self.record = limit, run, record

    @functools.cached_property
    def _prepared(self) -> tuple[Task, Replicas]:
        config = self.point.resolved.model_copy(update={"precision": "float32"})
        replicas = [Replica(target, self.seed) for target in self.targets]
        task, state = prepare(config, self.point.dataset, self.point.split, choose_device(config.device), replicas)
        return task, state.models

    @property
    def task(self) -> Task:
        """The data that the network is, or was, trained on, with one row per target."""
        return self._prepared[0]

    @functools.cached_property
    def _network(self) -> _Network:
        task, models = self._prepared
        if self.moment == "trained":
            assert self.run is not None
            models = _read_models(self.run, task.replicas[0], models.device)
        models.eval()
        parameters = {name: tensor[:1].detach() for name, tensor in models.parameters.items()}
        return _Network(models, parameters, {name: tensor[:1] for name, tensor in models.buffers.items()})

    def with_weights(self, models: Replicas) -> "Subject":
        """Return the same model and molecules with other weights, which are copied.

        Args:
            models: a single replica of the same model.
        """
        return self.with_tensors(models.snapshot())

    def weights(self) -> dict[str, Tensor]:
        """Return the weights of the network by name, `[1, ...]` each."""
        return self._network.parameters

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of the network, and the buffers that predictions depend on, by name, `[1, ...]` each."""
        runner, parameters, buffers = self._network
        return {name: (parameters | buffers)[name] for name in runner.snapshot()}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> "Subject":
        """Return the same model and molecules with other tensors, which are named as `tensors` names them."""
        runner, drawn, buffers = self._network
        other = self.without_gradients()
        other.__dict__["_network"] = _Network(
            runner,
            {name: tensors[name] for name in drawn},
            buffers | {name: tensors[name] for name in buffers if name in tensors},
        )
        return other

    def without_gradients(self) -> "Subject":
        """Return the same subject without the gradients and kernel that it keeps, which take much memory."""
        other = Subject(self.point, self.seed, self.targets, self.moment, self.limit, self.run, self.record)
        kept = ("_prepared", "_network")
        other.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return other

    @property
    def train_index(self) -> Tensor:
        """Indices of the train molecules that are looked at: the first ones of the seed, int64 `[n]`, on the CPU."""
        return self.task.subsets[0][: self.limit].cpu()

    @property
    def test_index(self) -> Tensor:
        """Indices of the test molecules that are looked at: the first ones of the split, int64 `[m]`."""
        return self.point.split.test[: self.limit]

    def molecules(self, index: Tensor) -> Molecules:
        """Return the molecules with these indices `[m]`, prepared as for the model, on its device."""
        return self.task.molecules.select(index.to(self.task.molecules.mask.device))

    @property
    def labels(self) -> NDArray[np.float64]:
        """Normalised labels of the train molecules, `[T, n]`; classes are taken for the numbers 0 and 1.

        Raises:
            InputError: a target is the same for all of these molecules.
        """
        labels, (is_class, mean, scale) = self.task.labels[:, : self.limit].double().cpu(), self._of_classes
        if same := [self.targets[row] for row in range(len(labels)) if not labels[row].max() > labels[row].min()]:
            raise InputError(
                f"{' and '.join(same)} is the same for all {labels.shape[1]} train molecules that are looked at, so "
                "that nothing can be told: expected another target, or more molecules by --molecules"
            )
        return torch.where(is_class, (labels - mean) / scale, labels).numpy()

    @functools.cached_property
    def _of_classes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Which targets are classes, and mean and standard deviation of the labels of each target, `[T, 1]` each."""
        labels = self.task.labels.double().cpu()
        return self.task.truth.is_class[:, None], labels.mean(1, keepdim=True), labels.std(1, keepdim=True)

    def normalised(self, index: Tensor) -> NDArray[np.float64]:
        """Return the true targets of molecules, `[T, m]`, normalised as the labels are."""
        scaling, truth = self.task.scaling, self.task.truth
        explained = scaling.explained(truth.composition, index)
        values, (is_class, mean, scale) = truth.values(index), self._of_classes
        numbers = scaling.normalise(values, truth.references(index), explained).double()
        return torch.where(is_class, (values - mean) / scale, numbers).numpy()

    def truth(self, index: Tensor) -> NDArray[np.float64]:
        """Return the true targets in their units, `[T, m]`."""
        return self.task.truth.values(index).numpy()

    def to_units(self, normalised: NDArray[np.float64] | Tensor, index: Tensor) -> NDArray[np.float64]:
        """Map predictions of molecules, `[T, m]`, to the targets' units, `[T, m]`."""
        scaling, truth = self.task.scaling, self.task.truth
        explained = scaling.explained(truth.composition, index)
        given, (is_class, mean, scale) = torch.as_tensor(normalised), self._of_classes
        numbers = scaling.restore(given, truth.references(index), explained)
        return torch.where(is_class, given.double().cpu() * scale + mean, numbers).numpy()

    @property
    def units(self) -> list[str]:
        """The unit of each target; classes, taken for the numbers 0 and 1, have none."""
        return [target.value_unit for target in self.task.truth.targets]

    def module(self, depth: int | None = None) -> Model:
        """Return the network as a module in evaluation mode, whose input is what `inputs` returns.

        Args:
            depth: the number of the network's layers to keep; None for all.
        """
        options = self.point.resolved.model
        if depth is not None:
            options = options.model_copy(update={"depth": depth})
        _, parameters, buffers = self._network
        weights = parameters | buffers
        model = build_model(self.task.molecules.padding, options)
        model.load_state_dict({name: weights[name][0] for name in model.state_dict()})
        return model.to(self.task.molecules.mask.device).eval()

    def inputs(self, index: Tensor) -> Molecules:
        """Return the molecules with these indices `[m]`, with standardised atoms, as `module` takes them."""
        buffers = self._network.buffers
        return standardise(self.molecules(index), {name: tensor[0] for name, tensor in buffers.items()})

    @torch.no_grad()
    def predict(self, molecules: Molecules) -> Tensor:
        """Predict normalised targets of molecules, float32 `[m]`."""
        runner, parameters, buffers = self._network
        chunks = torch.arange(len(molecules.mask), device=molecules.mask.device).split(PREDICTION_BATCH)
        return torch.cat([runner.run(parameters, buffers, molecules.select(chunk))[0] for chunk in chunks])

    @functools.cached_property
    def predictions(self) -> Tensor:
        """The normalised predictions of the test molecules, float32 `[m]`."""
        return self.predict(self.molecules(self.test_index))

    def redraw(self, count: int, index: Tensor) -> Tensor:
        """Predict normalised targets of molecules with other draws of initial weights, float32 `[count, m]`."""
        _, parameters, buffers = self._network
        molecules, options = self.molecules(index), self.point.resolved.model
        seeds = [1000 * (self.seed + 1) + place for place in range(count)]
        statistics = {name: buffers[name].expand(count, -1) for name in ("atom_mean", "atom_scale")}
        device = next(iter(parameters.values())).device
        drawn = Replicas.draw(options, molecules.padding, seeds, statistics, device)
        return drawn.predict(molecules.select(chunk) for chunk in torch.arange(len(index)).split(PREDICTION_BATCH))

    @functools.cached_property
    def gradients(self) -> Tensor:
        """The gradient of the prediction of each train molecule with respect to all weights, float32 `[n, P]`."""
        return self.gradients_of(self.train_index)

    def gradients_of(self, index: Tensor) -> Tensor:
        """Return the gradient of the prediction of each molecule with respect to all weights, float32 `[m, P]`.

        If atoms are relabelled or coordinates rotated during training, it is the mean over 8 random orders or
        rotations: kernel regression on molecules in all orders is the regression with the mean kernel (Mei et al. 2021,
        arXiv:2102.13219).
        """
        runner, parameters, buffers = self._network
        molecules = self.molecules(index)
        if self.task.augmentation == "none":
            return jacobian(runner, parameters, buffers, molecules)
        total = torch.zeros(())
        for count in range(AUGMENTATIONS):
            total = total + jacobian(runner, parameters, buffers, self._augment(molecules, count))
        return total / AUGMENTATIONS

    def _augment(self, molecules: Molecules, count: int) -> Molecules:
        """Return molecules `[m, ...]` as training might show them; `count` numbers the draws."""
        if self.task.augmentation == "rotate":
            drawn = random_rotations(len(molecules.mask), stream("rotation of a probe", self.seed, count))
            return molecules._replace(positions=molecules.positions @ drawn.to(molecules.positions))
        keys = torch.rand(molecules.mask.shape, generator=stream("relabelling of a probe", self.seed, count))
        return molecules.relabel(random_order(molecules.mask, keys.to(molecules.mask.device)))

    def named_gradients(self) -> dict[str, Tensor]:
        """Return the columns of `gradients`, `[n, weights]`, by the name of the weights that they belong to."""
        parameters = self._network.parameters
        columns = self.gradients.split([tensor.numel() for tensor in parameters.values()], dim=1)
        return dict(zip(parameters, columns, strict=True))

    @functools.cached_property
    def kernel(self) -> NDArray[np.float64]:
        """The tangent kernel of the train molecules, float64 `[n, n]` (Jacot et al. 2018, arXiv:1806.07572)."""
        return gram(self.gradients).cpu().numpy()


def _read_models(run: Path, replica: Replica, device: torch.device) -> Replicas:
    """Read the trained weights of one replica.

    Raises:
        InputError: the weights are missing, or cannot be used.
    """
    path = run / WEIGHTS
    weights = read_weights(path)
    facts = weights.facts
    if replica not in facts.replicas:
        raise InputError(f"{path} has no weights of target {replica.target}, seed {replica.seed}")
    row = facts.replicas.index(replica)
    tensors = {name: tensor[row : row + 1] for name, tensor in weights.models.items()}
    try:
        return Replicas.from_weights(facts.options, facts.padding, [replica.seed], tensors, device, facts.precision)
    except ValueError as error:
        raise InputError(f"{path} cannot be used: {error}") from None
