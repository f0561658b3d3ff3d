"""Names and limits of the packed layout: every column and code has its one name here.

It imports nothing heavy, so that worker processes start fast.
"""

from typing import NamedTuple

ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}  # atomic numbers of the elements that have a column of their own
HYDROGEN = ELEMENTS["H"]

ATOM_FEATURES = (*ELEMENTS, "atomic_number", "sp", "sp2", "sp3", "aromatic", "num_hydrogens")
NUM_ATOM_FEATURES = len(ATOM_FEATURES)
# Columns of `Molecules.atoms`; others are found by `ATOM_FEATURES.index`.
ATOMIC_NUMBER = ATOM_FEATURES.index("atomic_number")
AROMATIC = ATOM_FEATURES.index("aromatic")
NUM_HYDROGENS = ATOM_FEATURES.index("num_hydrogens")

# What a model may be shown of an atom: all columns, or only which element it is. Hybridisation, aromaticity and the
# number of hydrogens are read from the bonds, so that a model that reads no bonds still sees some of them.
FEATURE_SETS = {"qm9": ATOM_FEATURES, "element": (*ELEMENTS, "atomic_number")}

BOND_TYPES = ("single", "double", "triple", "aromatic")
NUM_BOND_TYPES = len(BOND_TYPES)
# Codes in `Molecules.bonds`.
NO_BOND, SINGLE_BOND, DOUBLE_BOND, TRIPLE_BOND, AROMATIC_BOND = range(NUM_BOND_TYPES + 1)

PARTS = ("test", "validation", "train")  # the parts of a split; a part's place in this tuple is its code

MAX_ATOMS = 128  # the dense layout stores N x N bonds: larger molecules would be slow, so they are refused


class Padding(NamedTuple):
    """The numbers of atoms and of tokens that every molecule of a data set is padded to."""

    num_atoms: int
    num_tokens: int
