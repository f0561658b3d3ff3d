"""Names and limits of the packed layout. It imports nothing heavy, so that worker processes start fast."""

from typing import NamedTuple

ATOM_FEATURES = ("H", "C", "N", "O", "F", "atomic_number", "sp", "sp2", "sp3", "aromatic", "num_hydrogens")
BOND_TYPES = ("single", "double", "triple", "aromatic")  # code 1 to 4 in `Molecules.bonds`; 0 is no bond
NUM_ATOM_FEATURES = len(ATOM_FEATURES)
NUM_BOND_TYPES = len(BOND_TYPES)
MAX_ATOMS = 128  # the dense layout stores N x N bonds: beyond this it would be served slowly, so it is refused


class Padding(NamedTuple):
    """What every molecule of a data set is padded to."""

    num_atoms: int
    num_tokens: int
