"""Assumes permutation invariance and locality: an atom hears from its bonded neighbours."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import ACTIVATIONS, FeedForward, Readout, Residual
from ibbench.models.layers.distances import pair_distances, radial_basis
from ibbench.models.layers.one_hot import one_hot_bonds
from ibbench.models.registry import Model, register
from ibbench.options.model import GnnOptions

LONGEST_BOND = 2.5  # angstrom; the longest between heavy atoms of QM9 is a strained 2.2


class MessagePassing(nn.Module):
    """phi(h_v, sum over neighbours u of psi(h_u, e_uv)) with psi(h, e) = activation(h + w_e).

    psi is that of the GINE layer (Hu et al. 2020, arXiv:1905.12265), with one vector `w_e` per bond type. With
    `num_radial` a linear map of the bond's length is added to `w_e`. phi is the feed-forward layer of Deep Sets with a
    second input for the sum, so that it tells an atom from its neighbours, which GINE does not. psi does not see the
    receiver h_v; phi does.
    """

    def __init__(self, options: GnnOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.phi = FeedForward(options)
        self.message = nn.Linear(width, hidden, bias=False)
        self.bond_vectors = nn.Parameter(torch.randn(NUM_BOND_TYPES, width))
        self.activation = ACTIVATIONS[options.activation]()
        if options.num_radial is not None:
            self.length = nn.Linear(options.num_radial, width, bias=False)

    def forward(
        self, h: Float[Tensor, "b n w"], adjacency: Float[Tensor, "b n nx4"], radial: Float[Tensor, "b n n r"] | None
    ) -> Float[Tensor, "b n w"]:
        """Update the states of the atoms; `adjacency` is one where v (row) has a bond of that type to u."""
        messages = self.sum_messages(h, adjacency) if radial is None else self.sum_with_lengths(h, adjacency, radial)
        return self.phi.outer(self.phi.inner(h) + self.message(messages))

    def sum_messages(self, h: Float[Tensor, "b n w"], adjacency: Float[Tensor, "b n nx4"]) -> Float[Tensor, "b n w"]:
        """Sum psi over the neighbours of each atom."""
        # psi depends on the sender and the bond type only: it is computed for 4 N rows, not for N N pairs of atoms.
        psi = self.activation(h[..., None, :] + self.bond_vectors)
        return adjacency @ psi.flatten(-3, -2)

    def sum_with_lengths(
        self, h: Float[Tensor, "b n w"], adjacency: Float[Tensor, "b n nx4"], radial: Float[Tensor, "b n n r"]
    ) -> Float[Tensor, "b n w"]:
        """Sum psi over the neighbours of each atom; psi depends on lengths here, so it is computed for all pairs."""
        types = adjacency.unflatten(-1, (-1, NUM_BOND_TYPES))
        psi = self.activation(h[..., None, :, :] + types @ self.bond_vectors + self.length(radial))
        return (psi * types.sum(-1, keepdim=True)).sum(-2)


@register("gnn")
class Gnn(Model):
    """Assumes permutation invariance and locality: messages pass along bonds, one bond per layer.

    Message passing after Gilmer et al. 2017 (arXiv:1704.01212). Without bonds there are no messages, and what is
    left is Deep Sets, weight for weight. With `num_radial` messages also depend on the lengths of the bonds.
    """

    symmetries = frozenset({"permutation"})
    connectivity = "bonded neighbours"
    weights = "fixed for each bond type"
    reads = frozenset({"atoms", "bonds"})

    @classmethod
    def reads_with(cls, options: GnnOptions) -> frozenset[str]:
        """Return the fields that the model reads: positions, too, if messages depend on the lengths of bonds."""
        return cls.reads if options.num_radial is None else cls.reads | {"positions"}

    def __init__(self, padding: Padding, options: GnnOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(padding.num_features, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, MessagePassing(options)) for _ in range(options.depth))
        self.readout = Readout(options)
        self.num_radial = options.num_radial

    def states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the states of the atoms after the last layer."""
        adjacency = one_hot_bonds(molecules.bonds, molecules.atoms.dtype).flatten(-2)
        radial = None
        if self.num_radial is not None:
            distances = pair_distances(molecules.positions)
            radial = radial_basis(distances, self.num_radial, LONGEST_BOND).to(adjacency.dtype)
        h = self.embed(molecules.atoms)
        for layer in self.layers:
            h = layer(h, molecules.mask, adjacency, radial)
        return h
