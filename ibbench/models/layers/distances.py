"""Distances between atoms, described by Gaussians: all that a model needs to be invariant in three dimensions."""

import torch
from jaxtyping import Float
from torch import Tensor


def pair_distances(positions: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n n"]:
    """Return the distance of each pair of atoms, in the unit of the positions; rotations do not change it."""
    squared = (positions[..., :, None, :] - positions[..., None, :, :]).square().sum(-1)
    return squared.sqrt()


def radial_basis(distances: Float[Tensor, "*b"], num_radial: int, cutoff: float) -> Float[Tensor, "*b r"]:
    """Describe each distance by `num_radial` Gaussians whose centres lie from 0 to `cutoff`, one spacing wide.

    Schuett et al. 2017 (arXiv:1706.08566), section 4.1.
    """
    centres = torch.linspace(0, cutoff, num_radial, device=distances.device, dtype=distances.dtype)
    return torch.exp(-0.5 * ((distances[..., None] - centres) * ((num_radial - 1) / cutoff)).square())


def smooth_cutoff(distances: Float[Tensor, "*b"], cutoff: float) -> Float[Tensor, "*b"]:
    """Return a factor that falls from 1 at distance 0 to 0 at the cutoff and beyond (Behler 2011, equation 4)."""
    factor = 0.5 * (torch.cos(distances * (torch.pi / cutoff)) + 1)
    return torch.where(distances < cutoff, factor, torch.zeros_like(factor))
