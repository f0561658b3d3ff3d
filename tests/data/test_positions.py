import numpy as np
import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.featurize import Features, featurize
from ibbench.data.positions import Geometry, assign_coordinates

# Their XYZ blocks list atoms in another order than their SMILES: by element in four, by element and neighbours in all.
REORDERED = ["C#CC#C", "C#CC#N", "N#CC#CC#N", "CC#CC#CC#CC=O", "CC(C)N=COCC#C", "CC#CCCC(F)(F)F"]


def _bond_lengths(dataset: DataSet, index: int) -> torch.Tensor:
    molecules = dataset.molecules
    distance = torch.cdist(molecules.positions[index], molecules.positions[index])
    return distance[molecules.bonds[index] > 0]


def test_bonded_atoms_are_near_each_other_in_all_of_qm9(qm9: DataSet) -> None:
    molecules = qm9.molecules
    offset = molecules.positions[:, :, None] - molecules.positions[:, None]
    lengths = offset.norm(dim=-1)[molecules.bonds > 0]
    assert lengths.min() > 1.0
    assert lengths.max() < 2.3  # two strained cages have a C-C of 2.2 angstrom; a wrong order gives 3 and more


def test_hydrogens_are_near_their_atoms_in_all_of_qm9(qm9_explicit: DataSet) -> None:
    atoms, bonds, _, positions, _ = qm9_explicit.molecules
    hydrogen = atoms[..., 5] == 1
    molecule, atom = hydrogen.nonzero(as_tuple=True)
    parent = bonds[molecule, atom].argmax(1)
    distance = (positions[molecule, atom] - positions[molecule, parent]).norm(dim=-1)
    assert len(distance) > 1_200_000
    assert distance.min() > 0.9
    assert distance.max() < 1.3


def test_both_modes_agree_on_heavy_atoms(qm9: DataSet, qm9_explicit: DataSet) -> None:
    heavy = qm9_explicit.molecules.positions[:, :9] * qm9.molecules.mask[..., None]
    assert torch.equal(heavy, qm9.molecules.positions)


@pytest.mark.parametrize("smiles", REORDERED)
def test_molecules_in_another_order_are_matched(qm9: DataSet, qm9_explicit: DataSet, smiles: str) -> None:
    index = qm9.smiles.index(smiles)
    assert _bond_lengths(qm9, index).max() < 1.6
    assert _bond_lengths(qm9_explicit, index).max() < 1.6


@pytest.mark.parametrize("smiles", ["CC(=O)C#N", "OCC1CC1", "C#CC#C"])
def test_any_order_of_the_xyz_block_gives_the_same_positions(qm9_explicit: DataSet, smiles: str) -> None:
    index = qm9_explicit.smiles.index(smiles)
    _, _, mask, positions, _ = qm9_explicit.molecules.select(torch.tensor(index))
    size = int(mask.sum())
    numbers = qm9_explicit.molecules.atoms[index, :size, 5].numpy()
    graph: Features = featurize([smiles], "implicit")
    expected = np.linalg.norm(positions[:size, None] - positions[None, :size], axis=-1)
    for seed in range(5):
        order = np.random.RandomState(seed).permutation(size)
        block = Geometry(numbers[order], positions[:size].numpy()[order], np.zeros(size, dtype=np.int64))
        found = assign_coordinates(graph, block, "explicit")[0]
        # Equivalent atoms may swap, which leaves bond lengths and the multiset of distances as they were.
        distance = np.linalg.norm(found[:, None] - found[None], axis=-1)
        assert np.allclose(np.sort(distance, axis=None), np.sort(expected, axis=None), atol=1e-5)
        bonded = qm9_explicit.molecules.bonds[index, :size, :size].numpy() > 0
        assert distance[bonded].max() < 1.7


def test_another_molecule_is_refused() -> None:
    graph = featurize(["CCO"], "implicit")
    numbers = np.array([6, 8, 6], dtype=np.uint8)
    line = np.array([[0, 0, 0], [1.4, 0, 0], [2.8, 0, 0]], dtype=np.float32)  # C-O-C without hydrogens
    with pytest.raises(ValueError, match="not the same molecule"):
        assign_coordinates(graph, Geometry(numbers, line, np.zeros(3, dtype=np.int64)), "implicit")
