"""A molecule as one long vector: the features of its atoms in the order given, and the bonds of all pairs."""

import torch
from jaxtyping import Float
from torch import Tensor

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.one_hot import one_hot_bonds


def flat_size(padding: Padding) -> int:
    """Return the number V of entries of a flat molecule: N F of its atoms and 4 N (N - 1) / 2 of its pairs."""
    pairs = padding.num_atoms * (padding.num_atoms - 1) // 2
    return padding.num_atoms * padding.num_features + pairs * NUM_BOND_TYPES


def flatten(molecules: Molecules) -> Float[Tensor, "*b v"]:
    """Return molecules as flat vectors, `[*batch, V]`: features of atoms, 0 in padding, and one-hot bonds of pairs.

    Args:
        molecules: molecules with bonds; features are standardised already, where they should be.
    """
    atoms, bonds, mask, *_ = molecules
    atoms = atoms * mask[..., None]
    num_atoms = mask.shape[-1]
    upper = torch.triu_indices(num_atoms, num_atoms, offset=1, device=bonds.device)
    pairs = one_hot_bonds(bonds[..., upper[0], upper[1]], atoms.dtype)
    return torch.cat([atoms.flatten(-2), pairs.flatten(-2)], dim=-1)
