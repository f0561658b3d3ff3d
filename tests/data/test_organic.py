"""Features for all of organic chemistry: right by hand, and the same however a molecule is written."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from ibbench.data.colours import refine
from ibbench.data.featurize import Features, featurize
from ibbench.data.graphs import hide_features
from ibbench.data.layout import ATOM_FEATURES, FEATURE_SETS, LAYOUTS, ORGANIC_FEATURES
from ibbench.data.pack import pack_smiles
from ibbench.data.statistics import atom_statistics

# Charges, halogens, rings, stereo, a metal, hypervalence: each molecule in one spelling.
SMILES = [
    "C[C@H](N)C(=O)[O-]", "C/C=C/[N+](C)(C)C", "OC(=O)/C=C\\C(=O)O", "NS(=O)(=O)c1ccc(Br)cc1", "CN1CCC[C@H]1c1cccnc1",
    "C[C@H]1CC[C@@H](C)CC1", "C[S@](=O)CC", "[Na+].[O-]c1ccccc1I", "FS(F)(F)(F)(F)F", "ClP(Cl)(Cl)(Cl)Cl",
    "C[Si](C)(C)C", "OB(O)c1ccccc1", "C[Se]C", "C[C@@H](F)[C@H](O)[C@H](F)C",
    "O[C@H]1[C@H](O)[C@@H](O)[C@@H](CO)O[C@@H]1O",
]  # fmt: skip


def _row(features: Features, atom: int) -> dict[str, int]:
    values = zip(ORGANIC_FEATURES, features.atoms[0, atom].tolist(), strict=True)
    return {name: value for name, value in values if value}


def test_atoms_by_hand() -> None:
    alanine = featurize(["C[C@H]([NH3+])C(=O)[O-]"], "implicit", "organic")  # L, which is S
    assert _row(alanine, 1) == {"C": 1, "atomic_number": 6, "sp3": 1, "num_hydrogens": 1, "centre_S": 1}
    assert _row(alanine, 2) == {"N": 1, "atomic_number": 7, "sp3": 1, "num_hydrogens": 3, "positive_charge": 1}
    assert _row(alanine, 5) == {"O": 1, "atomic_number": 8, "sp2": 1, "negative_charge": 1}
    fumaric = featurize(["OC(=O)/C=C/C(=O)O"], "implicit", "organic")
    assert _row(fumaric, 3) == {"C": 1, "atomic_number": 6, "sp2": 1, "num_hydrogens": 1, "bond_E": 1}
    bromobenzene = featurize(["Brc1ccccc1"], "implicit", "organic")
    assert _row(bromobenzene, 0) == {"Br": 1, "atomic_number": 35, "sp3": 1}
    assert _row(bromobenzene, 1) == {"C": 1, "atomic_number": 6, "sp2": 1, "aromatic": 1, "in_ring": 1}
    assert _row(featurize(["[Al+3]"], "implicit", "organic"), 0) == {
        "other_element": 1, "atomic_number": 13, "positive_charge": 3
    }  # fmt: skip
    assert _row(featurize(["FS(F)(F)(F)(F)F"], "implicit", "organic"), 1) == {"S": 1, "atomic_number": 16, "sp3d2": 1}


def test_the_features_of_qm9_are_the_first_ones() -> None:
    assert ORGANIC_FEATURES[: len(ATOM_FEATURES)] == ATOM_FEATURES
    few, many = (featurize(SMILES, "explicit", layout) for layout in LAYOUTS)
    assert np.array_equal(many.atoms[..., : len(ATOM_FEATURES)], few.atoms)
    assert np.array_equal(many.bonds, few.bonds)


@pytest.mark.parametrize("text", SMILES)
def test_features_do_not_depend_on_the_spelling(text: str) -> None:
    spelled = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(text), 20, randomSeed=7)
    atoms, bonds, num_atoms = featurize([text, *spelled], "implicit", "organic")
    keys = refine(atoms, bonds, np.arange(atoms.shape[1]) < num_atoms[:, None], 3)[-1]
    assert len(set(keys.tolist())) == 1


def test_every_atom_has_one_element_and_what_can_occur_does() -> None:
    atoms, _, num_atoms = featurize([*SMILES, "C#N"], "explicit", "organic")
    rows = atoms[np.arange(atoms.shape[1]) < num_atoms[:, None]]
    elements = [ORGANIC_FEATURES.index(name) for name in ORGANIC_FEATURES if name.istitle() or name == "other_element"]
    assert len(elements) == 13
    assert (rows[:, elements].sum(1) == 1).all()
    assert [name for name, top in zip(ORGANIC_FEATURES, rows.max(0), strict=True) if not top] == []


def test_the_element_and_the_charge_alone() -> None:
    molecules = pack_smiles(["C[NH3+]", "[O-]c1ccccc1", "C[Se]C"], "implicit", "organic")
    shown = hide_features(molecules, "element").atoms
    kept = {name for name, top in zip(ORGANIC_FEATURES, shown.flatten(0, 1).amax(0).tolist(), strict=True) if top}
    assert kept == {"C", "N", "O", "other_element", "atomic_number", "positive_charge", "negative_charge"}
    assert kept < set(FEATURE_SETS["element"])
    assert hide_features(molecules, "organic") is molecules
    of_qm9 = hide_features(molecules, "qm9").atoms
    assert not of_qm9[..., len(ATOM_FEATURES) :].any()
    assert torch.equal(of_qm9[..., : len(ATOM_FEATURES)], molecules.atoms[..., : len(ATOM_FEATURES)])


def test_a_rare_feature_does_not_become_a_huge_input() -> None:
    molecules = pack_smiles(["CCCCCCCC"] * 500 + ["CCCCCCCBr"], "implicit", "organic")
    mean, scale = atom_statistics(molecules)
    inputs = (molecules.atoms[molecules.mask].float() - mean) / scale
    assert inputs[:, ORGANIC_FEATURES.index("Br")].max() == pytest.approx(10, abs=0.01)
    few = molecules._replace(atoms=molecules.atoms[..., : len(ATOM_FEATURES)])
    assert torch.equal(atom_statistics(few)[0], mean[: len(ATOM_FEATURES)])
    assert atom_statistics(few)[1].min() < 0.03  # those of QM9 are scaled as they always were
