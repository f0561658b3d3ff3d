"""Features packed into `Molecules`: one way for the data set, for prediction, and for a single SMILES."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ibbench.data.layout import ATOMIC_NUMBER, NUM_HYDROGENS
from ibbench.data.molecules import Molecules
from ibbench.data.tokens import tokenize
from ibbench.errors import InputError

_NAMED = 3  # of the SMILES that cannot be parsed


def pack(
    atoms: np.ndarray, bonds: np.ndarray, num_atoms: np.ndarray, smiles: list[str], positions: np.ndarray | None = None
) -> Molecules:
    """Pack M molecules; the first three arrays are those of `featurize.Features`.

    Args:
        atoms: features, uint8 `[M, N, 11]`.
        bonds: types, uint8 `[M, N, N]`.
        num_atoms: number of atoms of each molecule, `[M]`.
        smiles: their spelling, which the tokens are made of.
        positions: coordinates in angstrom, float32 `[M, N, 3]`; None where there are none, which makes them NaN.
    """
    mask = torch.arange(atoms.shape[1]) < torch.from_numpy(num_atoms)[:, None]
    if positions is None:
        coordinates = torch.where(mask[..., None], torch.nan, torch.zeros(3))
    else:
        coordinates = torch.from_numpy(positions)
    tokens = torch.from_numpy(tokenize(smiles))
    return Molecules(torch.from_numpy(atoms), torch.from_numpy(bonds), mask, coordinates, tokens)


def pack_smiles(smiles: list[str], hydrogens: str) -> Molecules:
    """Compute the features of SMILES and pack them; a SMILES has no coordinates, which are NaN.

    Args:
        smiles: one string per molecule.
        hydrogens: `implicit` or `explicit`, see `featurize`.

    Raises:
        InputError: RDKit cannot parse one of them, or it has more than 128 atoms.
    """
    from ibbench.data.featurize import featurize  # RDKit is slow to import, and packing what is in a cache needs none

    features = featurize(smiles, hydrogens)
    bad = [text for text, size in zip(smiles, features.num_atoms, strict=True) if not size]
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise InputError(f"RDKit cannot parse as SMILES: {', '.join(f'`{text}`' for text in bad[:_NAMED])}{more}")
    return pack(*features, smiles)


def resize(molecules: Molecules, num_atoms: int) -> Molecules:
    """Return molecules that are padded to `num_atoms`, which none of them may exceed.

    Args:
        molecules: `[M, ...]`.
        num_atoms: N of the result.
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
