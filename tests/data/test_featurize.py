import numpy as np
import pytest
import torch
from rdkit import Chem

from ibbench.data.dataset import DataSet
from ibbench.data.featurize import featurize, read_smiles
from ibbench.data.layout import ATOM_FEATURES
from ibbench.errors import InputError


def _column(name: str) -> int:
    return ATOM_FEATURES.index(name)


def test_acetamide_by_hand() -> None:
    atoms, bonds, num_atoms = featurize(["CC(=O)N"], "implicit")
    assert num_atoms.tolist() == [4]
    #                     H  C  N  O  F  Z sp 2 3 ar nH
    assert atoms[0].tolist() == [
        [0, 1, 0, 0, 0, 6, 0, 0, 1, 0, 3],
        [0, 1, 0, 0, 0, 6, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 7, 0, 1, 0, 0, 2],
    ]
    assert bonds[0].tolist() == [[0, 1, 0, 0], [1, 0, 2, 1], [0, 2, 0, 0], [0, 1, 0, 0]]


def test_triple_and_aromatic_bonds_have_their_codes() -> None:
    _, bonds, _ = featurize(["C#N", "c1ccoc1"], "implicit")
    assert bonds[0].max() == 3
    assert sorted(set(bonds[1].flatten().tolist())) == [0, 4]


def test_explicit_hydrogens_are_those_of_rdkit() -> None:
    smiles = ["C", "OCC#N", "CC(C)(F)C=O", "[NH3+]CC([O-])=O"]
    atoms, bonds, num_atoms = featurize(smiles, "explicit")
    for index, text in enumerate(smiles):
        graph = Chem.AddHs(Chem.MolFromSmiles(text))
        size = graph.GetNumAtoms()
        assert num_atoms[index] == size
        assert atoms[index, :size, _column("atomic_number")].tolist() == [a.GetAtomicNum() for a in graph.GetAtoms()]
        assert np.array_equal(bonds[index, :size, :size] > 0, Chem.GetAdjacencyMatrix(graph) > 0)
        hydrogens = [a.GetTotalNumHs(includeNeighbors=True) for a in graph.GetAtoms()]
        assert atoms[index, :size, _column("num_hydrogens")].tolist() == hydrogens


def test_what_rdkit_cannot_parse_has_no_atoms() -> None:
    assert featurize(["CCO", "C1CC", "not a molecule"], "implicit").num_atoms.tolist() == [3, 0, 0]


# All of these are `CCO`, or another beginning or end of what stands there, to RDKit alone.
@pytest.mark.parametrize(
    "text",
    [
        "CCO CC#CC#CC", "CCO aspirin", "CCO\tname", "CCO\nC", " CCO", "CCO ", "CCOö", "øCCO", "CCO\u200b",
        "CC(=O)O\u2212", "CCO\0", "CCO\x01", "\x7fCCO", "CCO |$;;R1$|", "CCO\ud800",
    ],
)  # fmt: skip
def test_a_smiles_is_read_from_its_first_character_to_its_last_or_not_at_all(text: str) -> None:
    reading = read_smiles([text, "CCO"], "implicit")
    assert list(reading.refused) == [0]
    assert reading.features.num_atoms.tolist() == [0, 3]
    assert reading.canonical == ["", "CCO"]


@pytest.mark.parametrize(
    ("text", "other", "code", "kind"),
    [
        ("[NH3]->[Cu]", "[Cu]<-[NH3]", 1, "dative"),
        ("C~O", "O~C", 1, "unspecified"),
        ("[Cr]$[Mo]", "[Mo]$[Cr]", 3, "quadruple"),
    ],
)
def test_a_bond_of_another_kind_is_a_bond_in_both_directions(text: str, other: str, code: int, kind: str) -> None:
    reading = read_smiles(["CC", text, other], "implicit")
    assert reading.features.bonds[1].tolist() == reading.features.bonds[2].tolist() == [[0, code], [code, 0]]
    assert reading.odd_bonds == [(1, kind), (2, kind)]
    assert reading.canonical[1] == reading.canonical[2]


def test_the_bonds_of_qm9_are_those_of_rdkit(qm9: DataSet) -> None:
    orders = {1.0: 1, 2.0: 2, 3.0: 3, 1.5: 4}
    for index in range(0, len(qm9), 431):
        graph = Chem.MolFromSmiles(qm9.smiles[index])
        size = graph.GetNumAtoms()
        expected = [[0] * size for _ in range(size)]
        for bond in graph.GetBonds():
            begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            expected[begin][end] = expected[end][begin] = orders[bond.GetBondTypeAsDouble()]
        assert qm9.molecules.bonds[index, :size, :size].tolist() == expected
    assert qm9.odd_bonds == {}


def test_a_molecule_too_large_for_the_dense_layout_is_refused() -> None:
    assert featurize(["C" * 128], "implicit").num_atoms.tolist() == [128]
    with pytest.raises(InputError, match="C…` is too large for the dense layout: it has 129 atoms, more than 128"):
        featurize(["C" * 129], "implicit")
    with pytest.raises(InputError, match="it has 182 atoms with its hydrogens, more than 128"):
        featurize(["C" * 60], "explicit")


def test_features_of_qm9_are_alive_and_consistent(qm9: DataSet) -> None:
    atoms, bonds, mask, *_ = qm9.molecules
    present = atoms[mask].amax(0).tolist()
    # With implicit hydrogens no node is a hydrogen; every other column occurs.
    assert [name for name, top in zip(ATOM_FEATURES, present, strict=True) if not top] == ["H"]
    assert set(bonds.unique().tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(bonds, bonds.transpose(1, 2))
    assert not atoms[~mask].any()
    one_hot = atoms[mask][:, :5].long()
    assert (one_hot.sum(1) == 1).all()
    assert torch.equal(one_hot @ torch.tensor([1, 6, 7, 8, 9]), atoms[mask][:, 5].long())


def test_composition_is_the_same_in_both_modes(qm9: DataSet, qm9_explicit: DataSet) -> None:
    assert torch.equal(qm9.composition()[0], qm9_explicit.composition()[0])
    assert qm9_explicit.molecules.mask.shape[1] == 29
    assert qm9.smiles == qm9_explicit.smiles
