"""Names and limits of the packed layout: every column and code has its one name here.

It imports nothing heavy, so that worker processes start fast.
"""

from typing import Literal, NamedTuple, TypeAlias

FeatureLayout: TypeAlias = Literal["qm9", "organic"]

ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}  # atomic numbers of the elements that have a column of their own
HYDROGEN = ELEMENTS["H"]
# Atomic numbers of the elements that have a column of their own in the layout `organic` only.
_FURTHER_ELEMENTS = {"B": 5, "Si": 14, "P": 15, "S": 16, "Cl": 17, "Br": 35, "I": 53}
_OTHER_ELEMENT = "other_element"
_CHARGES = ("positive_charge", "negative_charge")  # two columns of counts, since features have no sign

ATOM_FEATURES = (*ELEMENTS, "atomic_number", "sp", "sp2", "sp3", "aromatic", "num_hydrogens")
NUM_ATOM_FEATURES = len(ATOM_FEATURES)
# Columns of `Molecules.atoms`; others are found by `ATOM_FEATURES.index`.
ATOMIC_NUMBER = ATOM_FEATURES.index("atomic_number")
AROMATIC = ATOM_FEATURES.index("aromatic")
NUM_HYDROGENS = ATOM_FEATURES.index("num_hydrogens")

# Features for all of organic chemistry begin with those for QM9, so that each column has one place. Stereo is told by
# the labels of Cahn, Ingold & Prelog, which do not depend on how a SMILES is written, as RDKit's chiral tags do. E and
# Z stand at both atoms of their double bond: so bonds need no further types, and models without bonds see them, too.
ORGANIC_FEATURES = (
    *ATOM_FEATURES,
    *_FURTHER_ELEMENTS,
    _OTHER_ELEMENT,
    *_CHARGES,
    *("sp3d", "sp3d2", "in_ring"),
    *("centre_R", "centre_S", "bond_E", "bond_Z"),
)

# The features that a data set can be computed with: the columns of `Molecules.atoms`, and the elements among them.
LAYOUTS: dict[FeatureLayout, tuple[str, ...]] = {"qm9": ATOM_FEATURES, "organic": ORGANIC_FEATURES}
ELEMENTS_OF: dict[FeatureLayout, dict[str, int]] = {"qm9": ELEMENTS, "organic": ELEMENTS | _FURTHER_ELEMENTS}

# What a model may be shown of an atom: all columns of a layout, or only which element it is, with its charge where the
# layout has charges. Hybridisation, aromaticity and the number of hydrogens are read from the bonds, so that a model
# that reads no bonds still sees some of them.
FEATURE_SETS = {
    "qm9": ATOM_FEATURES,
    "organic": ORGANIC_FEATURES,
    "element": (*ELEMENTS, "atomic_number", *_FURTHER_ELEMENTS, _OTHER_ELEMENT, *_CHARGES),
}


def layout_of(num_features: int) -> FeatureLayout:
    """Return the layout whose atoms have so many features.

    Raises:
        KeyError: no layout has.
    """
    return {len(names): layout for layout, names in LAYOUTS.items()}[num_features]


BOND_TYPES = ("single", "double", "triple", "aromatic")
NUM_BOND_TYPES = len(BOND_TYPES)
# Codes in `Molecules.bonds`.
NO_BOND, SINGLE_BOND, DOUBLE_BOND, TRIPLE_BOND, AROMATIC_BOND = range(NUM_BOND_TYPES + 1)

PARTS = ("test", "validation", "train")  # the parts of a split; a part's place in this tuple is its code

MAX_ATOMS = 128  # the dense layout stores N x N bonds: larger molecules would be slow, so they are refused


class Padding(NamedTuple):
    """The sizes of every molecule of a data set, by which models are built and their cost is counted.

    Attributes:
        num_atoms: the number of atoms N that molecules are padded to.
        num_tokens: the number of tokens L that their SMILES are padded to.
        num_features: the number of features F of each atom, which is not padded.
    """

    num_atoms: int
    num_tokens: int
    num_features: int = NUM_ATOM_FEATURES
