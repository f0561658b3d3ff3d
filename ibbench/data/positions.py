"""Gives every atom of a graph its coordinates from an XYZ block, whatever the order of the atoms in that block."""

import numpy as np
from rdkit import Chem

from ibbench.data.featurize import Features
from ibbench.data.layout import ATOMIC_NUMBER, HYDROGEN, NUM_HYDROGENS
from ibbench.data.sources import Geometry


def assign_coordinates(graphs: Features, geometry: Geometry, hydrogens: str) -> np.ndarray:
    """Find the coordinates of every atom of M graphs.

    A graph lists its heavy atoms in the order of the SMILES. That is nearly always the order of the XYZ block, too;
    where the elements or the numbers of hydrogens near each atom show that it is not, the two are matched as graphs.
    A hydrogen belongs to its nearest heavy atom.

    Args:
        graphs: the features with implicit hydrogens.
        geometry: the XYZ blocks of the same molecules.
        hydrogens: `implicit` for the coordinates of heavy atoms only; `explicit` for those of hydrogens, too, in the
            order of `featurize`.

    Returns:
        Coordinates in angstrom, float32 `[M, N, 3]`, zero where there is no atom.

    Raises:
        ValueError: a graph and its XYZ block are not the same molecule.
    """
    num_molecules, n, _ = graphs.atoms.shape
    heavy = geometry.numbers != HYDROGEN
    molecule = geometry.molecule[heavy]
    slot = _position_in_group(molecule, num_molecules)
    if not np.array_equal(np.bincount(molecule, minlength=num_molecules), graphs.num_atoms):
        raise ValueError("the SMILES and the XYZ blocks have different numbers of heavy atoms")
    positions = np.zeros((num_molecules, n, 3), dtype=np.float32)
    numbers = np.zeros((num_molecules, n), dtype=np.uint8)
    positions[molecule, slot] = geometry.coordinates[heavy]
    numbers[molecule, slot] = geometry.numbers[heavy]

    hydrogen_of = geometry.molecule[~heavy]
    hydrogen_at = geometry.coordinates[~heavy]
    parent = _nearest(hydrogen_at, positions[hydrogen_of], numbers[hydrogen_of] > 0)
    attached = np.zeros((num_molecules, n), dtype=np.int64)
    np.add.at(attached, (hydrogen_of, parent), 1)

    differs = (numbers != graphs.atoms[..., ATOMIC_NUMBER]) | (attached != graphs.atoms[..., NUM_HYDROGENS])
    for index in np.nonzero(differs.any(axis=1))[0]:
        size = graphs.num_atoms[index]
        order = _match(
            graphs.atoms[index, :size],
            graphs.bonds[index, :size, :size],
            numbers[index],
            attached[index],
            positions[index],
        )
        positions[index, :size] = positions[index, order]
        parent[hydrogen_of == index] = np.argsort(order)[parent[hydrogen_of == index]]
    if hydrogens == "implicit":
        return positions
    return _append_hydrogens(positions, graphs, hydrogen_of, hydrogen_at, parent)


def _position_in_group(group: np.ndarray, num_groups: int) -> np.ndarray:
    """Return the place of each entry among those of the same group, int64 `[n]`; groups are numbered and ascend."""
    first = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=num_groups))[:-1]])
    return np.arange(len(group)) - first[group]


def _nearest(points: np.ndarray, candidates: np.ndarray, valid: np.ndarray) -> np.ndarray:
    squared = ((points[:, None] - candidates) ** 2).sum(axis=-1)
    return np.where(valid, squared, np.inf).argmin(axis=1)


def _match(
    atoms: np.ndarray, bonds: np.ndarray, numbers: np.ndarray, attached: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """Return the index in the XYZ block of each graph atom: the one with the same element, hydrogens and neighbours."""
    size = len(atoms)
    table = Chem.GetPeriodicTable()
    radius = np.array([table.GetRcovalent(int(number)) for number in numbers[:size]])
    distance = np.linalg.norm(positions[:size, None] - positions[None, :size], axis=-1)
    touching = distance < 1.2 * (radius[:, None] + radius)
    pattern = _skeleton(atoms[:, ATOMIC_NUMBER], atoms[:, NUM_HYDROGENS], bonds > 0)
    block = _skeleton(numbers[:size], attached[:size], touching & ~np.eye(size, dtype=bool))
    order = np.array(block.GetSubstructMatch(pattern), dtype=np.int64)
    if len(order) != size:
        raise ValueError("a SMILES and its XYZ block are not the same molecule")
    return order


def _skeleton(numbers: np.ndarray, attached: np.ndarray, bonded: np.ndarray) -> Chem.Mol:
    """Build a molecule in which an element and a number of hydrogens tell atoms apart, and all bonds are alike."""
    graph = Chem.RWMol()
    for number, count in zip(numbers, attached, strict=True):
        atom = Chem.Atom(int(number))
        atom.SetIsotope(1 + int(count))  # substructure search compares isotopes, not implicit hydrogens
        graph.AddAtom(atom)
    for first, second in np.argwhere(np.triu(bonded)):
        graph.AddBond(int(first), int(second), Chem.BondType.SINGLE)
    return graph.GetMol()


def _append_hydrogens(
    heavy: np.ndarray, graphs: Features, hydrogen_of: np.ndarray, hydrogen_at: np.ndarray, parent: np.ndarray
) -> np.ndarray:
    order = np.lexsort((parent, hydrogen_of))
    molecule = hydrogen_of[order]
    slot = graphs.num_atoms[molecule] + _position_in_group(molecule, len(heavy))
    n = int((graphs.num_atoms + np.bincount(hydrogen_of, minlength=len(heavy))).max())
    positions = np.zeros((len(heavy), n, 3), dtype=np.float32)
    positions[:, : heavy.shape[1]] = heavy[:, :n]
    positions[molecule, slot] = hydrogen_at[order]
    return positions
