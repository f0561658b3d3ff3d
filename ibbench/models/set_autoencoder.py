"""Assumes that a molecule, as a set of atoms, can be told by a few numbers; needs no label."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Residual
from ibbench.models.layers.code import Corruption, Decoder
from ibbench.models.layers.matching import matched_distance
from ibbench.models.registry import Model, register
from ibbench.options.model import AutoencoderOptions


@register("set_autoencoder")
class SetAutoencoder(Model):
    """Assumes that the set of a molecule's atoms can be restored from a code of `latent` numbers, whatever their order.

    The encoder is Deep Sets, without bonds, so the code does not depend on the order of atoms. The decoder writes N
    atoms in an order of its own, and its error is that of the best match between these and the true ones: so the error
    does not depend on the order either. An atom is its features and whether it is there at all; padding counts as N
    minus n atoms that are not there, which is how the decoder has to tell the size of a molecule.

    What the model predicts of a molecule is that error; see `Autoencoder`. The target `atom_set` is 0 for all.
    """

    symmetries = frozenset({"permutation"})
    connectivity = "none: each atom by itself, and a few numbers for all"
    weights = "fixed, shared by atoms"
    reads = frozenset({"atoms"})
    any_size = False
    pools = False
    reconstructs = "atom_set"

    def __init__(self, padding: Padding, options: AutoencoderOptions) -> None:
        super().__init__()
        width, _ = options.sizes
        self.num_atoms = padding.num_atoms
        self.corruption = Corruption(options.corruption)
        self.embed = nn.Linear(padding.num_features, width)
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.code = nn.Linear(width, options.latent)
        self.decoder = Decoder(options, padding.num_atoms * (padding.num_features + 1))

    def states(self, molecules: Molecules) -> Float[Tensor, "b d"]:
        """Return the codes of the molecules: a linear map of the sum over atoms."""
        h = self.embed(self.corruption(molecules.atoms))
        for layer in self.layers:
            h = layer(h, molecules.mask)
        return self.code((h * molecules.mask[..., None]).sum(-2))

    def mask_of(self, _molecules: Molecules) -> None:
        """Return None: the states are those of molecules."""

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Return the squared distance between the atoms of each molecule and those of its reconstruction, matched."""
        there = molecules.mask[..., None].to(molecules.atoms.dtype)
        atoms = torch.cat([molecules.atoms * there, there], dim=-1)
        decoded = self.decoder(self.states(molecules)).unflatten(-1, (self.num_atoms, -1))
        return matched_distance(atoms, decoded)
