"""Assumes permutation, rotation and translation invariance: atoms meet through their distances in space."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import ACTIVATIONS, FeedForward, Readout, Residual
from ibbench.models.layers.distances import pair_distances, radial_basis, smooth_cutoff
from ibbench.models.registry import Model, register
from ibbench.options.model import SchNetOptions


class ContinuousFilter(nn.Module):
    """phi(h_v, sum over other atoms u of h_u * W(d_uv)), with a filter W that is a network of the distance.

    The continuous-filter convolution of SchNet (Schuett et al. 2017, arXiv:1706.08566, equation 2), in the place of
    the sum over bonds of the GNN; phi is the GNN's.
    """

    def __init__(self, options: SchNetOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.phi = FeedForward(options)
        self.message = nn.Linear(width, hidden, bias=False)
        self.filter = nn.Sequential(
            nn.Linear(options.num_radial, width), ACTIVATIONS[options.activation](), nn.Linear(width, width)
        )

    def forward(
        self, h: Float[Tensor, "b n w"], radial: Float[Tensor, "b n n r"], factor: Float[Tensor, "b n n"]
    ) -> Float[Tensor, "b n w"]:
        """Update the states of the atoms, given the distance of each pair in Gaussians, and the weight of each pair."""
        return self.phi.outer(self.phi.inner(h) + self.message(self.sum_messages(h, radial, factor)))

    def sum_messages(
        self, h: Float[Tensor, "b n w"], radial: Float[Tensor, "b n n r"], factor: Float[Tensor, "b n n"]
    ) -> Float[Tensor, "b n w"]:
        """Sum the filtered states over the other atoms."""
        filters = self.filter(radial) * factor[..., None]
        return (filters * h[..., None, :, :]).sum(-2)


@register("schnet")
class SchNet(Model):
    """Assumes permutation, rotation, translation and reflection invariance: all atoms meet through distances.

    It reads coordinates and no bonds.
    """

    symmetries = frozenset({"permutation", "rotation", "translation", "reflection"})
    connectivity = "all pairs of atoms in space"
    weights = "fixed for each distance"
    reads = frozenset({"atoms", "positions"})

    def __init__(self, padding: Padding, options: SchNetOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(padding.num_features, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, ContinuousFilter(options)) for _ in range(options.depth))
        self.readout = Readout(options)
        self.num_radial, self.cutoff = options.num_radial, options.cutoff

    def states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the states of the atoms after the last layer."""
        mask = molecules.mask
        distances = pair_distances(molecules.positions)
        others = mask[..., None, :] & ~torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)
        h = self.embed(molecules.atoms)
        radial = radial_basis(distances, self.num_radial, self.cutoff).to(h.dtype)
        factor = (smooth_cutoff(distances, self.cutoff) * others).to(h.dtype)
        for layer in self.layers:
            h = layer(h, mask, radial, factor)
        return h
