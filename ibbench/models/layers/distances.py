"""Distances between atoms, described by Gaussians: a model that reads positions only as these is invariant in space."""

import torch
from jaxtyping import Float
from torch import Tensor


def pair_distances(positions: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n n"]:
    """Return the distance of each pair of atoms, in the unit of the positions; rotations do not change it."""
    squared = (positions[..., :, None, :] - positions[..., None, :, :]).square().sum(-1)
    return squared.sqrt()


def radial_basis(distances: Float[Tensor, "*b"], num_radial: int, cutoff: float) -> Float[Tensor, "*b r"]:
    """Describe each distance d by Gaussians exp(-(d - c)^2 / (2 s^2)), as Schuett et al. 2017 (arXiv:1706.08566) do.

    The `num_radial` centres c lie at equal spacings s from 0 to `cutoff`, in the unit of the distances.
    """
    centres = torch.linspace(0, cutoff, num_radial, device=distances.device, dtype=distances.dtype)
    return torch.exp(-0.5 * ((distances[..., None] - centres) * ((num_radial - 1) / cutoff)).square())


def smooth_cutoff(distances: Float[Tensor, "*b"], cutoff: float) -> Float[Tensor, "*b"]:
    """Return a factor that falls from 1 at distance 0 to 0 at the cutoff and beyond: (cos(pi d / cutoff) + 1) / 2.

    Behler 2011 (J. Chem. Phys. 134, 074106), equation 4.
    """
    factor = 0.5 * (torch.cos(distances * (torch.pi / cutoff)) + 1)
    return torch.where(distances < cutoff, factor, torch.zeros_like(factor))
