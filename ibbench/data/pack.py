"""Features packed into `Molecules`: one way for the data set, for prediction, and for a single SMILES."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ibbench.data.layout import ATOMIC_NUMBER, NUM_HYDROGENS, FeatureLayout
from ibbench.data.molecules import Molecules
from ibbench.data.tokens import tokenize
from ibbench.errors import InputError

_MAX_NAMED = 3  # SMILES that a message names, of those that cannot be parsed


def pack_features(
    atoms: np.ndarray, bonds: np.ndarray, num_atoms: np.ndarray, smiles: list[str], positions: np.ndarray | None = None
) -> Molecules:
    """Pack the features of M molecules into `Molecules`; the first three arrays are those of `featurize.Features`.

    Args:
        atoms: features, uint8 `[M, N, F]`.
        bonds: types, uint8 `[M, N, N]`.
        num_atoms: number of atoms of each molecule, `[M]`.
        smiles: the M SMILES, which the tokens are made from.
        positions: coordinates in angstrom, float32 `[M, N, 3]`; None if they are unknown, which makes them NaN.
    """
    mask = torch.arange(atoms.shape[1]) < torch.from_numpy(num_atoms)[:, None]
    if positions is None:
        coordinates = torch.where(mask[..., None], torch.nan, torch.zeros(3))
    else:
        coordinates = torch.from_numpy(positions)
    tokens = torch.from_numpy(tokenize(smiles))
    return Molecules(torch.from_numpy(atoms), torch.from_numpy(bonds), mask, coordinates, tokens)


def pack_smiles(smiles: list[str], hydrogens: str, layout: FeatureLayout = "qm9") -> Molecules:
    """Compute the features of M SMILES and pack them into `Molecules`, whose coordinates are NaN.

    Args:
        smiles: one string per molecule.
        hydrogens: `implicit` or `explicit`, see `featurize`.
        layout: the features, see `featurize`.

    Raises:
        InputError: RDKit cannot parse one of the SMILES, or a molecule has more than 128 atoms.
    """
    from ibbench.data.featurize import featurize  # imports RDKit, which is slow and not needed to pack a cache

    features = featurize(smiles, hydrogens, layout)
    bad = [text for text, size in zip(smiles, features.num_atoms, strict=True) if not size]
    if bad:
        more = f" and {len(bad) - _MAX_NAMED} more" if len(bad) > _MAX_NAMED else ""
        raise InputError(f"RDKit cannot parse as SMILES: {', '.join(f'`{text}`' for text in bad[:_MAX_NAMED])}{more}")
    return pack_features(*features, smiles)


def resize(molecules: Molecules, num_atoms: int) -> Molecules:
    """Return molecules that are padded to another number of atoms.

    Args:
        molecules: M molecules, `[M, ...]`.
        num_atoms: the new number of atoms N; no molecule may have more.
    """
    more = num_atoms - molecules.mask.shape[1]
    assert more >= 0 or not molecules.mask[:, num_atoms:].any()
    atoms, bonds, mask, positions, tokens = molecules
    pad = torch.nn.functional.pad  # a negative number takes padding away
    return Molecules(
        pad(atoms, (0, 0, 0, more)),
        pad(bonds, (0, more, 0, more)) if bonds.numel() else bonds,
        pad(mask, (0, more)),
        pad(positions, (0, 0, 0, more)) if positions.numel() else positions,
        tokens,
    )


def count_elements(molecules: Molecules, elements: Sequence[int], hydrogens: str) -> Tensor:
    """Count the atoms of each element in molecules `[M, ...]`, float64 `[M, E]`.

    Args:
        molecules: the packed graphs, features as counts.
        elements: atomic numbers; atoms of others are not counted.
        hydrogens: `implicit` where hydrogens are a feature of their atom, `explicit` where they are atoms.
    """
    atoms, mask = molecules.atoms, molecules.mask
    numbers = atoms[..., ATOMIC_NUMBER].long() * mask
    counts = torch.stack([(numbers == element).sum(1) for element in elements], dim=1).double()
    if hydrogens == "implicit" and 1 in elements:
        counts[:, elements.index(1)] += (atoms[..., NUM_HYDROGENS] * mask).sum(1)
    return counts
