"""Assumes permutation invariance and locality: an atom hears from its bonded neighbours."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.config import ModelOptions
from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES
from ibbench.data.molecules import Molecules
from ibbench.models.blocks import ACTIVATIONS, FeedForward, Readout, Residual, one_hot_bonds
from ibbench.models.registry import Model, register


class MessagePassing(nn.Module):
    """phi(h_v, sum over neighbours u of psi(h_u, e_uv)) with psi(h, e) = activation(h + w_e).

    psi is that of the GINE layer (Hu et al. 2020, arXiv:1905.12265), with one vector `w_e` a bond type. phi is the
    feed-forward layer of Deep Sets with a second input: it tells an atom from its neighbours, which the sum of
    GINE does not. psi does not see the receiver h_v, which phi does: a psi of both ends costs N x N rows.
    """

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.phi = FeedForward(options)
        self.message = nn.Linear(width, hidden, bias=False)
        self.bond_vectors = nn.Parameter(torch.randn(NUM_BOND_TYPES, width))
        self.activation = ACTIVATIONS[options.activation]()

    def forward(self, h: Float[Tensor, "b n w"], adjacency: Float[Tensor, "b n nx4"]) -> Float[Tensor, "b n w"]:
        """Update the states of the atoms; `adjacency` is one where v (row) has a bond of that type to u."""
        return self.phi.outer(self.phi.inner(h) + self.message(self.sum_messages(h, adjacency)))

    def sum_messages(self, h: Float[Tensor, "b n w"], adjacency: Float[Tensor, "b n nx4"]) -> Float[Tensor, "b n w"]:
        """Sum psi over the neighbours of each atom."""
        # There are fewer (atom, bond type) pairs than (atom, atom) pairs: psi costs 4 N rows, not N N.
        psi = self.activation(h[..., None, :] + self.bond_vectors)
        return adjacency @ psi.flatten(-3, -2)


@register("gnn")
class Gnn(Model):
    """Assumes permutation invariance and locality: messages pass along bonds, one bond a layer.

    Message passing after Gilmer et al. 2017 (arXiv:1704.01212). Without bonds there are no messages, and what is
    left is Deep Sets, weight for weight.
    """

    symmetries = "permutation"
    connectivity = "bonded neighbours"
    weights = "fixed for each bond type"

    def __init__(self, num_atoms: int, options: ModelOptions) -> None:  # noqa: ARG002 (any number will do)
        super().__init__()
        self.embed = nn.Linear(NUM_ATOM_FEATURES, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, MessagePassing(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def atom_states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the states of the atoms after the last layer."""
        adjacency = one_hot_bonds(molecules.bonds, molecules.atoms.dtype).flatten(-2)
        h = self.embed(molecules.atoms)
        for layer in self.layers:
            h = layer(h, molecules.mask, adjacency)
        return h

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Predict the normalised target of each molecule."""
        return self.readout(self.atom_states(molecules), molecules.mask)
