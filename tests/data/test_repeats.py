"""A molecule is what it is, however it is spelled: it is counted once, and never divided."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.division import divide_at_random
from ibbench.data.featurize import read_smiles
from ibbench.data.repeats import Repeats, count_repeats, describe_repeats, warn_of_repeats
from ibbench.data.splits import split_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.run.plan import plan
from ibbench.sweep.warnings import list_warnings

Load = Callable[..., tuple[DataSet, Config]]
MOLECULES = [
    "CCO", "c1ccccc1", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "F/C=C/F", "F/C=C\\F", "FC=CF", "[13CH4]", "C", "[NH4+]",
    "N", "CC(=O)[O-].[Na+]", "O=C1NC=CC=C1", "Oc1ccccn1", "[NH3]->[Cu]", "CC#N", "C[N+](=O)[O-]", "CC1=CN=CC=N1",
]  # fmt: skip


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]) -> Load:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))

    def write_and_load(rows: list[tuple[str, float]], *overrides: str) -> tuple[DataSet, Config]:
        path = tmp_path / f"mine{len(list(tmp_path.iterdir()))}.csv"
        path.write_text("smiles,y\n" + "".join(f"{text},{value}\n" for text, value in rows))
        columns = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]")
        composed = config(*columns, *overrides)
        return load_dataset(composed.data, lambda _: None), composed

    return write_and_load


def _spellings(text: str, count: int, seed: int) -> list[str]:
    graph = Chem.MolFromSmiles(text)
    return list(Chem.MolToRandomSmilesVect(graph, count, randomSeed=seed))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10_000))
def test_a_second_spelling_is_the_same_molecule(seed: int) -> None:
    spelled = [_spellings(text, 3, seed) for text in MOLECULES]
    reading = read_smiles([text for texts in spelled for text in texts], "implicit")
    assert not reading.refused
    kinds = [set(reading.canonical[3 * number : 3 * number + 3]) for number in range(len(MOLECULES))]
    assert all(len(kind) == 1 for kind in kinds)
    assert len(set.union(*kinds)) == len(MOLECULES)  # no two of them are the same: stereo, isotopes, charges count


def test_numbers_that_only_map_atoms_make_no_other_molecule() -> None:
    texts = ["[CH3:1][OH:2]", "OC", "[OH:1][CH3:7]", "C:C", "[CH3:1]:[CH3:2]"]
    canonical = read_smiles(texts, "implicit").canonical
    assert len(set(canonical[:3])) == 1
    assert len(set(canonical[3:])) == 1


def test_two_spellings_are_in_one_part_whatever_the_seed(load: Load) -> None:
    ends = [f"{'C' * size}O" for size in range(1, 31)]
    rows = [(text, 1.0) for text in ends] + [(text[::-1], 1.0) for text in ends]
    for seed in range(3):
        sizes = ("data.test_size=14", "data.validation_size=10", f"data.split_seed={seed}")
        dataset, composed = load(rows, *sizes)
        assert count_repeats(dataset) == Repeats(30, 0)
        split = split_dataset(dataset, composed.data)
        assert [len(split.test), len(split.validation), split.train_size] == [14, 10, 36]
        parts = [set(dataset.groups[part].tolist()) for part in (split.test, split.validation, split.train_pool)]
        assert [len(part) for part in parts] == [7, 5, 18]


def test_a_column_divides_and_no_molecule_is_on_two_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    rows = [(f"{'C' * size}O", 1.0, "Train") for size in range(1, 21)] + [("CN", 2.0, "test"), ("CCN", 2.0, "TEST")]
    rows += [
        ("OC", 1.0, "test"),
        ("NC", 2.0, "train"),
        ("CF", 1.0, "valid"),
        ("FC", 1.0, "train"),
        ("CCF", 1.0, "tset"),
    ]
    path = tmp_path / "mine.csv"
    path.write_text("smiles,y,part\n" + "".join(f"{text},{value},{part}\n" for text, value, part in rows))
    csv = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]", "model=mlp", "budget=null")
    csv += ("data.split=column", "data.split_column=part", "model.width=8")
    said: list[str] = []
    dataset = load_dataset(config(*csv).data, said.append)
    assert "column part, `tset`: expected test, validation, train" in said[-1]
    split = split_dataset(dataset, config(*csv).data)
    assert [dataset.smiles[index] for index in sorted(split.test.tolist())] == ["CN", "CCN", "OC"]
    assert [dataset.smiles[index] for index in split.validation.tolist()] == ["CF"]
    assert len(split.train_pool) == 19  # without CO, NC and FC, which test or validate by other rows
    assert "3 rows are left out" in "".join(list_warnings([plan(config(*csv))]))
    path.write_text(
        "".join(line for line in path.read_text().splitlines(True) if "valid" not in line and "FC" not in line)
    )
    drawn = split_dataset(load_dataset(config(*csv).data, said.append), config(*csv, "data.validation_size=4").data)
    assert (len(drawn.test), len(drawn.validation), len(drawn.train_pool)) == (3, 4, 15)


def test_a_second_file_tests_and_its_molecules_train_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    mine, held_out = tmp_path / "mine.csv", tmp_path / "test.csv"
    mine.write_text("smiles,y\n" + "".join(f"{'C' * size}O,1\n" for size in range(1, 21)))
    held_out.write_text("y,smiles\n2,CN\n3,OCC\n4,Q\n5,CCN\n")
    csv = ("data=csv", f"data.path={mine}", "data.target_columns=[y]", "targets=[y]", "model=mlp", "budget=null")
    csv += ("data.split=file", f"data.test_path={held_out}", "model.width=8", "data.validation_size=4")
    said: list[str] = []
    dataset = load_dataset(config(*csv).data, said.append)
    assert f"1 of 24 rows of {mine} and {held_out} are left out. The first is line 4, column smiles, `Q`" in said[-1]
    assert f"(in {held_out})" in said[-1]
    split = split_dataset(dataset, config(*csv).data)
    assert [dataset.smiles[index] for index in sorted(split.test.tolist())] == ["CN", "OCC", "CCN"]
    assert (len(split.validation), len(split.train_pool)) == (4, 15)  # without CCO, which tests by another spelling
    told = list_warnings([plan(config(*csv))])
    assert f"1 rows of {mine} are left out: {held_out} has their molecules, which test." in told
    held_out.write_text("y,smiles\n2,CN\n3,OCC\n4,Q\n")
    assert load_dataset(config(*csv).data, said.append).source != dataset.source
    with pytest.raises(InputError, match=r"`data.test_path=.*missing.csv` cannot be read: .* In that folder: "):
        load_dataset(config(*csv, f"data.test_path={tmp_path / 'missing.csv'}").data, said.append)
    with pytest.raises(InputError, match=r"data.split=file needs data.test_path, such as data/test.csv"):
        config(*csv[:6], "data.split=file")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_a_split_divides_no_group_and_loses_no_molecule(groups: list[int], test: int, other: int, seed: int) -> None:
    parts = divide_at_random(np.array(groups), (test, other), seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert len(parts[0]) <= test
    assert len(parts[1]) <= other
    of_part = [{groups[index] for index in part.tolist()} for part in parts]
    assert sum(map(len, of_part)) == len(set(groups))


def test_where_all_molecules_differ_a_split_is_a_cut_of_the_drawn_order() -> None:
    order = np.random.RandomState(3).permutation(500).tolist()
    parts = divide_at_random(np.arange(500), (50, 30), 3)
    assert [part.tolist() for part in parts] == [order[:50], order[50:80], order[80:]]


def test_labels_that_contradict_each_other_are_counted(load: Load) -> None:
    rows = [("CCO", 1.0), ("OCC", 1.0), ("CC", 2.0), ("C-C", 3.0), ("[CH3]C", 2.0), ("CN", 4.0), ("F/C=C/F", 5.0)]
    dataset, _ = load([*rows, ("F/C=C\\F", 6.0), ("NC", 4.5)])
    assert dataset.groups.tolist() == [0, 0, 2, 2, 2, 5, 6, 7, 5]
    assert count_repeats(dataset) == Repeats(repeats=4, contradicting=2)
    assert warn_of_repeats(dataset) == (
        "Molecules that are an earlier one again, by canonical isomeric SMILES: 4; 2 molecules have labels that "
        "contradict each other. A split keeps the same molecule in one part."
    )
    assert describe_repeats(count_repeats(load(rows[:1])[0])) == ""


def test_one_molecule_alone_cannot_be_divided(load: Load) -> None:
    dataset, composed = load([("CCO", 1.0), ("OCC", 2.0)] * 20, "data.test_size=5", "data.validation_size=5")
    with pytest.raises(
        InputError, match="the 40 rows are only 1 different molecules, and a split divides none of them"
    ):
        split_dataset(dataset, composed.data)


def test_a_part_that_repeats_keep_small_is_said(load: Load) -> None:
    rows = [(text, 1.0) for size in range(1, 11) for text in (f"{'C' * size}O", f"O{'C' * size}")]
    sizes = ("data.test_size=5", "data.validation_size=6", "model=mlp", "budget=null", "model.width=8")
    _, composed = load(rows, *sizes)
    said = list_warnings([plan(composed)])
    assert "data.test_size=5 gets 4 molecules: no other molecule has so few rows." in said


def test_a_large_molecule_that_makes_a_model_narrow_is_said(load: Load) -> None:
    rows = [(f"{'C' * (2 + size % 7)}{end}{'C' * (size % 5)}", 1.0) for size in range(200) for end in "NOS"]
    few = ("budget.value=100000", "data.test_size=10", "data.validation_size=10", "data.features=qm9")
    _, composed = load([*rows, ("C" * 127, 1.0)], "model=mlp", *few)
    (said,) = [text for text in list_warnings([plan(composed)]) if "wide" in text]
    assert said.startswith("mlp is only 3 wide, because the largest molecule has 127 atoms: it would be ")
    assert said.endswith(" wide without the 1 with more than 13 (data.max_atoms=13).")
    _, without = load([*rows, ("C" * 127, 1.0)], "model=mlp", "data.max_atoms=13", *few)
    assert not [text for text in list_warnings([plan(without)]) if "wide" in text]
    assert plan(without).resolved.model.sizes[0] > 40


def test_qm9_is_divided_by_entries_as_ever(qm9: DataSet, config: Callable[..., Config]) -> None:
    assert count_repeats(qm9) == Repeats(repeats=87, contradicting=75)
    assert warn_of_repeats(qm9) == ""
    spread = qm9.values.std(0)
    assert ((qm9.values - qm9.values[qm9.groups]).abs().amax(0) < 0.005 * spread).all()
    split = split_dataset(qm9, config().data)
    order = np.random.RandomState(0).permutation(len(qm9))
    assert split.test.tolist() == order[:10_000].tolist()
    assert split.fingerprint == "7227fd9d4c6e848a"
    elsewhere = qm9.groups[torch.cat([split.train_pool, split.validation])]
    assert int(torch.isin(qm9.groups[split.test], elsewhere).sum()) == 10
    assert plan(config("model=mlp")).run == "mlp-21994f255c"


def test_parts_of_different_lengths_are_no_data_set(load: Load) -> None:
    dataset, _ = load([("CCO", 1.0), ("CC", 2.0)])
    with pytest.raises(ValueError, match=r"parts of a data set have different lengths: .*'smiles': 3"):
        dataclasses.replace(dataset, smiles=["CCO", "my", "CC"])
