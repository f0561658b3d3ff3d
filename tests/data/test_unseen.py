"""What a SMILES spells and the features do not have is counted: checked on molecules whose chemistry is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.featurize import read_smiles
from ibbench.data.layout import FeatureLayout
from ibbench.data.unseen import MARKS, Counts, Unseen, count_unseen, describe_unseen, find_unseen, refine_graphs
from ibbench.options.config import Config


def _find(*smiles: str, layout: FeatureLayout = "qm9") -> Unseen:
    reading = read_smiles(list(smiles), "implicit", layout=layout)
    groups = np.array([reading.canonical.index(text) for text in reading.canonical])
    return find_unseen(reading.features, groups, reading.marks, refine_graphs(reading.features))


def _counts(*values: object) -> Counts:
    return Counts.model_validate(dict(zip(Counts.model_fields, values, strict=False)))


@pytest.mark.parametrize(
    ("smiles", "marks"),
    [
        ("CCO", set()),
        ("C[CH](O)N", set()),  # brackets alone mark nothing
        ("[NH4+]", {"charges"}),
        ("[13CH4]", {"isotopes"}),
        ("[CH3]", {"unpaired electrons"}),
        ("C[C@H](O)N", {"stereo marks"}),
        ("C/C=C\\C", {"stereo marks"}),
        ("C[C@H](C)C", set()),  # no centre: RDKit drops the mark
        ("[2H]C[C@H](O)[NH3+]", {"charges", "isotopes", "stereo marks"}),
    ],
)
def test_marks_are_those_of_the_chemistry(smiles: str, marks: set[str]) -> None:
    found = _find(smiles).marks[0]
    assert {name for name, bit in MARKS.items() if found & bit} == marks


@pytest.mark.parametrize(
    ("smiles", "marks"),
    [
        ("[NH4+]", set()),
        ("C[C@H](O)N", set()),
        ("C/C=C\\C", set()),
        ("C[C@H]1CC[C@@H](C)CC1", set()),
        ("[13CH4]", {"isotopes"}),
        ("[CH3]", {"unpaired electrons"}),
        ("N[Pt@SP1](N)(Cl)Cl", {"stereo marks other than R, S, E and Z"}),
    ],
)
def test_features_for_organic_chemistry_leave_fewer_marks_unseen(smiles: str, marks: set[str]) -> None:
    found = _find(smiles, layout="organic").marks[0]
    assert {name for name, bit in MARKS.items() if found & bit} == marks


def test_features_for_organic_chemistry_tell_apart_what_those_of_qm9_do_not() -> None:
    smiles = [
        "C/C=C/C",
        "C/C=C\\C",
        "CC=CC",
        "C[C@H](N)O",
        "O[C@H](C)N",
        "NC(O)C",
        "CC[O-]",
        "CCO",
        "OCC",
        "[Na]",
        "[Mg]",
    ]
    assert _find(*smiles, layout="organic").alike.tolist() == [0, 1, 2, 3, 3, 5, 6, 7, 7, 9, 10]
    found = _find("CCl", "C[Se]C", "[NH4+]", "OCC", "CCO", layout="organic")
    values = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    counts = count_unseen(found, values, "organic")
    assert (counts.marks, counts.other_elements, counts.alike, counts.repeated) == ({}, 1, 2, 2)
    (told,) = describe_unseen(counts, {"gnn": "atoms and bonds"})
    assert told.startswith(
        "1 molecules have elements other than H, C, N, O, F, B, Si, P, S, Cl, Br and I, which gnn can tell apart by"
    )
    assert Counts.model_validate(counts.model_dump()) == counts
    assert "layout" not in count_unseen(_find("CCO"), values[:1]).model_dump()


def test_molecules_look_the_same_in_any_order_of_atoms_and_only_if_all_features_agree() -> None:
    alike = [("C/C=C/C", "C/C=C\\C", "CC=CC"), ("C[C@H](N)O", "O[C@H](C)N", "NC(O)C"), ("OCC", "CCO"), ("[13CH4]", "C")]
    # The last two cannot be told apart by neighbours of neighbours alone; both have two CH and eight CH2.
    single = ["CCC", "CC(=O)O", "CC(=O)[O-]", "c1ccccc1", "C1CCCCC1", "C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"]
    smiles = [*(text for group in alike for text in group), *single]
    expected = [first for first, group in zip((0, 3, 6, 8), alike, strict=True) for _ in group]
    expected += list(range(len(expected), len(smiles)))
    assert _find(*smiles).alike.tolist() == expected


def test_an_exact_comparison_follows_where_hashes_collide() -> None:
    reading = read_smiles(["CCO", "CCN", "OCC", "C=CO", "C"], "implicit")
    for groups in ([0, 1, 0, 3, 4], [0, 1, 2, 3, 4]):  # known to be the same molecule, and not known
        found = find_unseen(reading.features, np.array(groups), reading.marks, np.zeros(5, dtype=np.uint64))
        assert found.alike.tolist() == [0, 1, 0, 3, 4]


def test_only_other_values_count_and_repeats_are_told_apart() -> None:
    found = _find("C/C=C/C", "C/C=C\\C", "OCC", "CCO", "C/C=C/F", "C/C=C\\F", "CCl", "[NH4+]")
    values = np.array([[1, 5], [2, 5], [1, 5], [1, 6], [3, 3], [3, 3], [0, 0], [0, 0]], dtype=float)
    assert count_unseen(found, values[:, :1]) == _counts(8, 5, {"charges": 1, "stereo marks": 4}, 1, 2, 0)
    assert count_unseen(found, values).alike == 4
    assert count_unseen(found, values).repeated == 2
    assert not count_unseen(_find("CCO", "CCN"), np.zeros((2, 1))).tells


def test_what_is_said_names_the_models_that_do_not_see_it_and_those_that_do() -> None:
    counts = _counts(600, 31, {"charges": 11, "stereo marks": 20}, 7, 150, 0)
    (told,) = describe_unseen(counts, {"gnn": "atoms and bonds", "mlp": "atoms and bonds"})
    assert told == (
        "31 of 600 molecules carry charges or stereo marks, which gnn and mlp do not see; 7 molecules have elements "
        "other than H, C, N, O and F, which they can tell apart by the atomic number alone; 150 molecules look the "
        "same to them and have other targets."
    )
    blind, readers = describe_unseen(counts, {"schnet": "coordinates", "rnn": "SMILES"})
    assert "which schnet does not see" in blind
    assert "look the same" not in blind  # other coordinates are seen
    assert readers.startswith("rnn reads the SMILES")
    assert "information, not only in bias" in readers
    assert describe_unseen(counts, {"rnn": "SMILES"}) == []
    many = describe_unseen(_counts(600, 0, {}, 0, 150, 150), dict.fromkeys("abcde", "atoms and bonds"))
    assert many[0].startswith(
        "150 molecules look the same to models that do not read the SMILES and have other targets"
    )
    assert describe_unseen(_counts(600, 0, {}, 0, 0, 0), {"gnn": "atoms and bonds"}) == []


def test_the_cache_keeps_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "my.csv").write_text("smiles,y\nC/C=C/C,1\nC1CC,0\nC/C=C\\C,2\nCCO,3\n")
    options = config(
        "data=csv", f"data.path={tmp_path / 'my.csv'}", "data.target_columns=[y]", "data.features=qm9"
    ).data
    for hydrogens in ("implicit", "explicit"):
        chosen = options.model_copy(update={"hydrogens": hydrogens})
        built, read = (load_dataset(chosen, lambda _: None) for _ in range(2))
        for one, other in zip(built.unseen, read.unseen, strict=True):
            assert np.array_equal(one, other)
        assert read.unseen.alike.tolist() == [0, 0, 2]
    monkeypatch.setattr("ibbench.data.dataset.UNSEEN_FORMAT", 999)
    said: list[str] = []
    load_dataset(options, said.append)
    assert "is outdated (unseen was" in said[0]


def test_qm9_has_charges_alone_and_few_constitutions_twice(qm9: DataSet) -> None:
    counts = count_unseen(qm9.unseen, qm9.values.numpy())
    assert (counts.total, counts.marked, counts.marks) == (130_831, 443, {"charges": 443})
    assert sum("+" in text for text in qm9.smiles) == 443
    assert (counts.other_elements, counts.alike, counts.repeated) == (0, 162, 150)
