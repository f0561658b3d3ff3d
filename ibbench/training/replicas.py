"""Many independent models of one architecture, trained and run as one batched model."""

import contextlib
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.registry import Model, build_model
from ibbench.options.model import ModelOptions

PREDICTION_BATCH = 512  # molecules that are predicted at a time; predictions do not depend on it


class Replica(NamedTuple):
    """One (target, seed), trained on its own weights; the seed fixes weights, batch order and train subset."""

    target: str
    seed: int


class Replicas:
    """R models whose parameters are stacked along a first dimension and run by one `vmap`.

    Attributes:
        parameters: name -> `[R, ...]`, leaves that an optimizer can hold.
        buffers: name -> `[R, ...]`; `atom_mean` and `atom_scale` `[R, F]` standardise the input.
    """

    def __init__(
        self,
        skeleton: Model,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        seeds: Sequence[int],
        device: torch.device,
        precision: str,
    ) -> None:
        self.parameters = {name: tensor.detach().to(device).requires_grad_() for name, tensor in parameters.items()}
        self.buffers = {name: tensor.to(device) for name, tensor in buffers.items()}
        names = [name for name, _ in skeleton.named_buffers()]
        self._dropout_keys = [name for name in names if name.endswith(".key")]
        self._dropout_thresholds = [name for name in names if name.endswith(".threshold")]
        self._seeds = torch.tensor(seeds, device=device)
        self._skeleton = copy.deepcopy(skeleton).to("meta")
        self._autocast = torch.bfloat16 if precision == "bfloat16" else None
        self.device = device

    @classmethod
    def draw(
        cls,
        options: ModelOptions,
        padding: Padding,
        seeds: Sequence[int],
        inputs: Mapping[str, Tensor],
        device: torch.device,
        precision: str = "float32",
    ) -> Self:
        """Draw the weights of each replica by its seed.

        Args:
            options: the model with its width.
            padding: the sizes of the molecules.
            seeds: the seeds of the R replicas.
            inputs: `atom_mean` and `atom_scale`, float32 `[R, F]`.
            device: the device to put the replicas on.
            precision: the precision of the arithmetic; `bfloat16` means autocast, anything else float32.
        """
        models = [_build(options, padding, seed) for seed in seeds]
        parameters, buffers = stack_module_state(models)
        return cls(models[0], parameters, buffers | dict(inputs), seeds, device, precision)

    @classmethod
    def from_weights(
        cls,
        options: ModelOptions,
        padding: Padding,
        seeds: Sequence[int],
        weights: Mapping[str, Tensor],
        device: torch.device,
        precision: str = "float32",
    ) -> Self:
        """Build replicas from saved weights.

        Args:
            options: the model with its width, as it was trained.
            padding: the sizes of the molecules that it was trained on.
            seeds: the seeds of the R replicas.
            weights: all tensors of a `snapshot`, name -> `[R, ...]`.
            device: the device to put the replicas on.
            precision: the precision of the training.

        Raises:
            ValueError: the names or shapes of the weights are not those of the model.
        """
        blank = dict.fromkeys(("atom_mean", "atom_scale"), torch.zeros(1, padding.num_features))
        drawn = cls.draw(options, padding, seeds[:1], blank, torch.device("cpu"))
        expected = {name: tensor.shape[1:] for name, tensor in drawn.snapshot().items()}
        found = {name: tensor.shape[1:] for name, tensor in weights.items() if tensor.shape[:1] == (len(seeds),)}
        wrong = sorted(name for name in expected.keys() | weights.keys() if expected.get(name) != found.get(name))
        if wrong:
            raise ValueError(f"not the weights of a {options.name}: {', '.join(wrong)}")
        parameters = {name: weights[name] for name in drawn.parameters}
        buffers = {name: weights[name] for name in expected if name not in parameters}
        return cls(drawn._skeleton, parameters, buffers, seeds, device, precision)

    def __len__(self) -> int:
        return len(self._seeds)

    def train(self, step: int) -> None:
        """Switch to training, with the dropout masks of step number `step`."""
        self._skeleton.train()
        for name in self._dropout_keys:
            self.buffers[name] = (self._seeds * 0x85EBCA6B + step) & 0x7FFFFFFF

    def set_dropout(self, probabilities: Sequence[float]) -> None:
        """Give each replica its own probability of dropout; the model was built with at least the largest of them."""
        bits = torch.tensor([int(probability * 2**32) for probability in probabilities], device=self.device)
        for name in self._dropout_thresholds:
            self.buffers[name] = bits

    def eval(self) -> None:
        """Switch to prediction."""
        self._skeleton.eval()

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of all tensors that predictions depend on, name -> `[R, ...]`."""
        state = self.parameters | self.buffers
        training_only = {*self._dropout_keys, *self._dropout_thresholds}
        return {name: tensor.detach().clone() for name, tensor in state.items() if name not in training_only}

    @torch.no_grad()
    def load(self, snapshot: dict[str, Tensor]) -> None:
        """Copy the values of a snapshot into the parameters and buffers, which an optimizer may go on using."""
        state = self.parameters | self.buffers
        for name, tensor in snapshot.items():
            state[name].copy_(tensor)

    def alone(self, row: int) -> Model:
        """Return one replica as a model of its own, for prediction; it takes what `standardise` returns."""
        model = copy.deepcopy(self._skeleton).to_empty(device=self.device)
        state = self.parameters | self.buffers
        model.load_state_dict({name: state[name][row].detach() for name in model.state_dict()})
        return model.eval()

    @torch.no_grad()
    def predict(self, batches: Iterable[Molecules], forward: Callable[[Molecules], Tensor] | None = None) -> Tensor:
        """Predict the normalised targets of m molecules, float32 `[R, m]`.

        Args:
            batches: the molecules, features as counts.
            forward: function that predicts a batch, such as a `CompiledForward` of these replicas; None for themselves.
        """
        self.eval()
        return torch.cat([(forward or self)(batch) for batch in batches], dim=1)

    def __call__(self, molecules: Molecules) -> Tensor:
        """Predict normalised targets, `[R, B]`.

        Args:
            molecules: a batch of its own for each replica (`atoms [R, B, N, F]`), or one that all share
                (`atoms [B, N, F]`); features as counts.
        """
        return self.run(self.parameters, self.buffers, molecules)

    def run(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules) -> Tensor:
        """Predict as `__call__` does, but with the given parameters and buffers instead of those of the replicas."""
        shared = molecules.mask.dim() == 2
        run = vmap(self._run_one, in_dims=(0, 0, None if shared else 0))
        with torch.autocast(self.device.type, self._autocast) if self._autocast else contextlib.nullcontext():
            return run(parameters, buffers, molecules).float()

    def _run_one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules) -> Tensor:
        state = parameters | {name: buffers[name] for name in buffers if not name.startswith("atom_")}
        return functional_call(self._skeleton, state, (standardise(molecules, buffers),))


def standardise(molecules: Molecules, buffers: Mapping[str, Tensor]) -> Molecules:
    """Return molecules whose atoms are standardised, as models take them: (features - mean) / scale, zero in padding.

    Args:
        molecules: the molecules, with features as counts.
        buffers: the buffers of one replica, with `atom_mean` and `atom_scale`, `[F]`.
    """
    atoms = (molecules.atoms - buffers["atom_mean"]) / buffers["atom_scale"] * molecules.mask[..., None]
    return molecules._replace(atoms=atoms)


def _build(options: ModelOptions, padding: Padding, seed: int) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(padding, options)
