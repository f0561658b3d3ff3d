"""Many independent models of one architecture, trained and run as one batched model."""

import copy
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from ibbench.data.molecules import Molecules
from ibbench.models.registry import build_model
from ibbench.options.groups import ModelOptions


class Replica(NamedTuple):
    """One (target, seed), trained on its own weights; the seed fixes weights, batch order and train subset."""

    target: str
    seed: int


class Replicas:
    """R models whose parameters are stacked along a first dimension and run by one `vmap`.

    Attributes:
        parameters: name -> `[R, ...]`, leaves that an optimizer can hold.
        buffers: name -> `[R, ...]`; `atom_mean` and `atom_scale` `[R, 11]` standardise the input.
    """

    def __init__(
        self,
        num_atoms: int,
        options: ModelOptions,
        seeds: list[int],
        atom_mean: Tensor,
        atom_scale: Tensor,
        device: torch.device,
        autocast: torch.dtype | None = None,
    ) -> None:
        models = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                models.append(build_model(num_atoms, options))
        parameters, buffers = stack_module_state(models)
        self.parameters = {name: tensor.detach().to(device).requires_grad_() for name, tensor in parameters.items()}
        self.buffers = {name: tensor.to(device) for name, tensor in buffers.items()}
        self.buffers |= {"atom_mean": atom_mean.to(device), "atom_scale": atom_scale.to(device)}
        self._dropout_keys = [name for name in buffers if name.endswith(".key")]
        self._seeds = torch.tensor(seeds, device=device)
        self._skeleton = copy.deepcopy(models[0]).to("meta")
        self._autocast = autocast
        self.device = device

    def __len__(self) -> int:
        return len(self._seeds)

    def train(self, step: int) -> None:
        """Switch to training, with the dropout masks of that step."""
        self._skeleton.train()
        for name in self._dropout_keys:
            self.buffers[name] = (self._seeds * 0x85EBCA6B + step) & 0x7FFFFFFF

    def eval(self) -> None:
        """Switch to prediction."""
        self._skeleton.eval()

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of all that decides a prediction, name -> `[R, ...]`."""
        state = self.parameters | self.buffers
        return {name: tensor.detach().clone() for name, tensor in state.items() if name not in self._dropout_keys}

    @torch.no_grad()
    def load(self, snapshot: dict[str, Tensor]) -> None:
        """Take over the values of a snapshot, in place, so that an optimizer keeps its hold of the parameters."""
        state = self.parameters | self.buffers
        for name, tensor in snapshot.items():
            state[name].copy_(tensor)

    def __call__(self, molecules: Molecules) -> Tensor:
        """Predict normalised targets, `[R, B]`.

        Args:
            molecules: a batch of its own for each replica (`atoms [R, B, N, 11]`), or one that all share
                (`atoms [B, N, 11]`); features as counts.
        """
        return self.run(self.parameters, self.buffers, molecules)

    def run(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules) -> Tensor:
        """Predict as `__call__` does, with other parameters and buffers than its own."""
        shared = molecules.mask.dim() == 2
        run = vmap(self._run_one, in_dims=(0, 0, None if shared else 0))
        with torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None):
            return run(parameters, buffers, molecules).float()

    def _run_one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules) -> Tensor:
        mean, scale = buffers["atom_mean"], buffers["atom_scale"]
        atoms = (molecules.atoms - mean) / scale * molecules.mask[..., None]
        state = parameters | {name: buffers[name] for name in buffers if not name.startswith("atom_")}
        return functional_call(self._skeleton, state, (molecules._replace(atoms=atoms),))
