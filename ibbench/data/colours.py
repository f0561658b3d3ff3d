"""Colours of atoms, refined by those of their neighbours (Weisfeiler & Leman 1968), as 64-bit numbers.

Two molecules whose sums of colours differ are different for any network that passes messages between the same pairs
of atoms as often (Xu et al. 2019, arXiv:1810.00826, lemma 2). Nothing here imports torch.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint64]


def refine(atoms: np.ndarray, pairs: np.ndarray, here: NDArray[np.bool_], rounds: int) -> list[Keys]:
    """Return a number for each molecule after each round, `rounds` + 1 arrays uint64 `[M]`.

    The numbers are equal for molecules that refinement cannot tell apart, and for others but by an unlikely accident.

    Args:
        atoms: the first colours, as features, whole numbers `[M, N, F]`.
        pairs: what each pair of atoms is to each other, whole numbers `[M, N, N]`; 0 where they do not meet.
        here: where there is an atom, `[M, N]`.
        rounds: how often each atom hears from those it meets.
    """
    count, n, width = atoms.shape
    weights = mix(np.arange(1, width + 1, dtype=np.uint64))
    is_atom = here.ravel()
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
    """Scatter 64-bit numbers, one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
