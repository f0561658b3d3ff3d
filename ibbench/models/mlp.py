"""Assumes nothing: all inputs meet all inputs, through weights fixed after training."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Readout, Residual, one_hot_bonds
from ibbench.models.registry import Model, register
from ibbench.options.groups import ModelOptions


@register("mlp")
class Mlp(Model):
    """Assumes nothing: atoms and bonds are one long vector, in the order given.

    The vector is N x 11 atom features and the one-hot types of the N (N - 1) / 2 pairs. Which atom is called
    the first is part of the input, so the model has to learn from data that it does not matter.
    """

    symmetries = "none"
    connectivity = "all inputs"
    weights = "fixed"
    any_size = False

    @classmethod
    def reads(cls, options: Any) -> frozenset[str]:  # noqa: ARG003
        """Return what it reads of a molecule."""
        return frozenset({"atoms", "bonds"})

    def __init__(self, num_atoms: int, options: ModelOptions) -> None:
        super().__init__()
        self.num_atoms = num_atoms
        pairs = num_atoms * (num_atoms - 1) // 2
        inputs = num_atoms * NUM_ATOM_FEATURES + pairs * NUM_BOND_TYPES
        self.embed = nn.Linear(inputs, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Predict the normalised target of each molecule."""
        atoms, bonds, mask, *_ = molecules
        atoms = atoms * mask[..., None]
        upper = torch.triu_indices(self.num_atoms, self.num_atoms, offset=1, device=bonds.device)
        pairs = one_hot_bonds(bonds[..., upper[0], upper[1]], atoms.dtype)
        h = self.embed(torch.cat([atoms.flatten(-2), pairs.flatten(-2)], dim=-1))
        for layer in self.layers:
            h = layer(h, None)
        return self.readout(h, None)
