"""Gives every atom of a graph its coordinates from an XYZ block, whatever the order of its atoms; or its charge."""

from typing import NamedTuple

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
    blocks = _read_blocks(graphs.atoms, graphs.num_atoms, geometry)
    positions, numbers, attached = blocks.positions, blocks.numbers, blocks.attached
    hydrogen_of, parent = blocks.hydrogen_of, blocks.parent
    hydrogen_at = geometry.coordinates[geometry.numbers == HYDROGEN]
    differs = blocks.find_differences(graphs.atoms)
    for index in np.flatnonzero(differs):
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


class _Blocks(NamedTuple):
    """The XYZ blocks of M molecules, heavy atoms in a dense layout, hydrogens H in a list.

    Attributes:
        positions: coordinates of heavy atoms, float32 `[M, N, 3]`.
        numbers: atomic numbers of heavy atoms, uint8 `[M, N]`.
        attached: number of hydrogens whose nearest heavy atom each is, int64 `[M, N]`.
        heavy_of: molecule of each heavy atom, in the order of the blocks.
        slot: its place among the heavy atoms of its molecule.
        hydrogen_of: molecule of each hydrogen, int64 `[H]`.
        parent: its nearest heavy atom, a place as in `slot`, int64 `[H]`.
    """

    positions: np.ndarray
    numbers: np.ndarray
    attached: np.ndarray
    heavy_of: np.ndarray
    slot: np.ndarray
    hydrogen_of: np.ndarray
    parent: np.ndarray

    def find_differences(self, atoms: np.ndarray) -> np.ndarray:
        """Return the molecules whose heavy atoms differ from those of graphs `[M, N, F]`, in order or hydrogens."""
        numbers = np.where(atoms[..., ATOMIC_NUMBER] == HYDROGEN, 0, atoms[..., ATOMIC_NUMBER])
        differs = (self.numbers != numbers) | (self.attached != atoms[..., NUM_HYDROGENS] * (numbers > 0))
        return differs.any(axis=1)


def _read_blocks(atoms: np.ndarray, num_heavy: np.ndarray, geometry: Geometry) -> _Blocks:
    num_molecules, n, _ = atoms.shape
    heavy = geometry.numbers != HYDROGEN
    molecule = geometry.molecule[heavy]
    slot = _position_in_group(molecule, num_molecules)
    if not np.array_equal(np.bincount(molecule, minlength=num_molecules), num_heavy):
        raise ValueError("the SMILES and the XYZ blocks have different numbers of heavy atoms")
    positions = np.zeros((num_molecules, n, 3), dtype=np.float32)
    numbers = np.zeros((num_molecules, n), dtype=np.uint8)
    positions[molecule, slot] = geometry.coordinates[heavy]
    numbers[molecule, slot] = geometry.numbers[heavy]
    hydrogen_of = geometry.molecule[~heavy]
    parent = _nearest(geometry.coordinates[~heavy], positions[hydrogen_of], numbers[hydrogen_of] > 0)
    attached = np.zeros((num_molecules, n), dtype=np.int64)
    np.add.at(attached, (hydrogen_of, parent), 1)
    return _Blocks(positions, numbers, attached, molecule, slot, hydrogen_of, parent)


def assign_values(atoms: np.ndarray, geometry: Geometry, values: np.ndarray, hydrogens: str) -> np.ndarray:
    """Give every atom of M graphs its value from an XYZ block, whose atoms come in the same order.

    Args:
        atoms: features of the atoms of the graphs, `[M, N, F]`; hydrogens behind heavy atoms where they are atoms.
        geometry: the XYZ blocks of the same molecules, with A atoms.
        values: a value for each of these atoms that can be summed, such as a charge, float64 `[A]`.
        hydrogens: `implicit` to add the values of hydrogens to those of the heavy atoms that they belong to;
            `explicit` to give them to their own atoms.

    Returns:
        Values, float64 `[M, N]`; NaN where there is no atom, and for all atoms of a molecule whose SMILES and XYZ block
        list them in different orders.

    Raises:
        ValueError: a graph and its XYZ block have different numbers of heavy atoms.
    """
    is_heavy = atoms[..., ATOMIC_NUMBER] > HYDROGEN
    blocks = _read_blocks(atoms, is_heavy.sum(1), geometry)
    is_hydrogen = geometry.numbers == HYDROGEN
    found = np.zeros(is_heavy.shape)
    found[blocks.heavy_of, blocks.slot] = values[~is_hydrogen]
    if hydrogens == "implicit":
        np.add.at(found, (blocks.hydrogen_of, blocks.parent), values[is_hydrogen])
    else:
        order, slot = _order_hydrogens(is_heavy.sum(1), blocks.hydrogen_of, blocks.parent)
        found[blocks.hydrogen_of[order], slot] = values[is_hydrogen][order]
    found[atoms[..., ATOMIC_NUMBER] == 0] = np.nan
    found[blocks.find_differences(atoms)] = np.nan
    return found


def _order_hydrogens(
    num_heavy: np.ndarray, hydrogen_of: np.ndarray, parent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the order in which graphs list hydrogens (see `featurize.add_hydrogens`), and the place of each there."""
    order = np.lexsort((parent, hydrogen_of))
    molecule = hydrogen_of[order]
    return order, num_heavy[molecule] + _position_in_group(molecule, len(num_heavy))


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
    order, slot = _order_hydrogens(graphs.num_atoms, hydrogen_of, parent)
    n = int((graphs.num_atoms + np.bincount(hydrogen_of, minlength=len(heavy))).max())
    positions = np.zeros((len(heavy), n, 3), dtype=np.float32)
    positions[:, : heavy.shape[1]] = heavy[:, :n]
    positions[hydrogen_of[order], slot] = hydrogen_at[order]
    return positions
