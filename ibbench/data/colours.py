"""Colours of atoms, refined by those of their neighbours (Weisfeiler & Leman 1968), as 64-bit numbers.

Two molecules whose colours have equal sums look the same to any network that passes messages between the same pairs of
atoms for as many rounds (Xu et al. 2019, arXiv:1810.00826, lemma 2). This file imports no torch.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint64]


def refine(atoms: np.ndarray, pairs: np.ndarray, mask: NDArray[np.bool_], rounds: int) -> list[Keys]:
    """Return the sum of the colours of each molecule, before the first round and after each.

    Args:
        atoms: the features that give atoms their first colours, whole numbers `[M, N, F]`.
        pairs: the kind of each pair of atoms, whole numbers `[M, N, N]`; 0 for atoms that do not meet.
        mask: true where there is an atom, bool `[M, N]`.
        rounds: how many times each atom's colour is refined by the colours of the atoms that it meets.

    Returns:
        `rounds` + 1 arrays, uint64 `[M]`. Molecules that refinement cannot tell apart have equal numbers, and others
        have different ones, except by an unlikely accident.
    """
    count, n, width = atoms.shape
    weights = mix(np.arange(1, width + 1, dtype=np.uint64))
    is_atom = mask.ravel()
    colours = mix(atoms.reshape(-1, width).astype(np.uint64) @ weights) * is_atom
    molecule, start, end = np.nonzero(pairs)
    kinds = mix(pairs[molecule, start, end].astype(np.uint64))
    ends = molecule * n + end
    atom, first = np.unique(molecule * n + start, return_index=True)
    keys = [colours.reshape(count, n).sum(1, dtype=np.uint64)]
    for _ in range(rounds):
        refined = mix(colours)
        if len(atom):
            refined[atom] += np.add.reduceat(mix(colours[ends] + kinds), first)
        colours = mix(refined) * is_atom
        keys.append(colours.reshape(count, n).sum(1, dtype=np.uint64))
    return keys


def mix(values: Keys) -> Keys:
    """Map 64-bit numbers, one to one, to others that look random (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
