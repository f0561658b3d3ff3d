"""The atoms and bonds of RDKit's molecules, one by one.

RDKit's own sequences, `GetAtoms` and `GetBonds`, ask for the number of atoms at each step and take twice as long.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit import Chem


def atoms_of(graph: "Chem.Mol") -> "list[Chem.Atom]":
    """Return the atoms of a molecule, in their order."""
    return [*map(graph.GetAtomWithIdx, range(graph.GetNumAtoms()))]


def bonds_of(graph: "Chem.Mol") -> "list[Chem.Bond]":
    """Return the bonds of a molecule, in their order."""
    return [*map(graph.GetBondWithIdx, range(graph.GetNumBonds()))]
