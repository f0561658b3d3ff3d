"""Stereo as features of atoms: R or S of a centre, and E or Z at both atoms of a double bond.

These labels of Cahn, Ingold & Prelog depend on the molecule alone. RDKit's chiral tags and the slashes of a SMILES
depend on the order in which atoms are written, so that two spellings of a molecule would have different features.
"""

import contextlib
from collections.abc import Iterator

from rdkit import Chem
from rdkit.Chem import rdCIPLabeler

from ibbench.data.layout import ORGANIC_FEATURES
from ibbench.data.walk import atoms_of, bonds_of

_LABEL = "_CIPCode"  # the property in which RDKit keeps a label
# Labels of centres that differ only in their substituents' labels are small letters, as in cis- and trans-1,4-dimethyl-
# cyclohexane.
_CENTRE_COLUMN = {letter: ORGANIC_FEATURES.index(f"centre_{letter.upper()}") for letter in "RSrs"}
_BOND_COLUMN = {letter: ORGANIC_FEATURES.index(f"bond_{letter}") for letter in "EZ"}
_MOST_STEPS = 100_000  # a label that takes more is left out; hardly any molecule has one


def label_atoms(graph: Chem.Mol) -> Iterator[tuple[int, int]]:
    """Yield the atoms that have a stereo label, each with the column of the label in the layout `organic`.

    The labels are also kept in the graph, where `has_unlabelled_stereo` looks for them.
    """
    with contextlib.suppress(RuntimeError):  # what was labelled before the limit counts
        rdCIPLabeler.AssignCIPLabels(graph, maxRecursiveIterations=_MOST_STEPS)
    for atom in atoms_of(graph):
        if column := _CENTRE_COLUMN.get(_label_of(atom)):
            yield atom.GetIdx(), column
    for bond in bonds_of(graph):
        if column := _BOND_COLUMN.get(_label_of(bond)):
            yield bond.GetBeginAtomIdx(), column
            yield bond.GetEndAtomIdx(), column


def has_unlabelled_stereo(graph: Chem.Mol) -> bool:
    """Whether a graph that `label_atoms` has labelled has a centre or double bond of known stereo without a label."""
    return any(
        atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED and _label_of(atom) not in _CENTRE_COLUMN
        for atom in atoms_of(graph)
    ) or any(
        bond.GetStereo() > Chem.BondStereo.STEREOANY and _label_of(bond) not in _BOND_COLUMN for bond in bonds_of(graph)
    )


def _label_of(part: Chem.Atom | Chem.Bond) -> str:
    return str(part.GetProp(_LABEL)) if part.HasProp(_LABEL) else ""
