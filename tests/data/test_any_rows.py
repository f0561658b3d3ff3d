"""Whatever stands in the cells of a CSV: a molecule is the one that stands there, or its row is listed."""

import csv
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.tokens import TOKENS
from ibbench.errors import InputError
from ibbench.options.config import Config
from tests.data.test_repeats import MOLECULES

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_good = st.sampled_from([*MOLECULES, "C" * 129, "ClCCBr", "[Na+].[Cl-]"])
_odd = st.text(st.sampled_from("CNOcn=#()[]123+-.@/\\ \t\n\r\0,;\"'éä\u2028\u200b"), max_size=6)
SMILES = st.one_of(_good, st.builds("{}{}{}".format, _odd, _good, _odd), st.text(max_size=8))
VALUES = st.one_of(
    st.integers(-999, 999).map(str), st.sampled_from(["", "1.5e3", " 2 ", "nan", "1,5", "٣", "1_0", "x\ny"])
)


class Expected(NamedTuple):
    """What a row is to become: nothing, or a molecule with a value."""

    smiles: str
    graph: Chem.Mol
    value: float


def _expect(smiles: str, value: str) -> Expected | None:
    text = smiles.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text) or not re.fullmatch(r"\s*-?\d+(\.\d+e\d+)?\s*", value, re.ASCII):
        return None
    with rdBase.BlockLogs():
        graph = Chem.MolFromSmiles(text)
    return Expected(text, graph, float(value)) if graph and 0 < graph.GetNumAtoms() <= 128 else None


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]) -> Callable[..., DataSet]:
    options = config("data=csv", "data.path=later.csv", "data.target_columns=[y]").data

    def write_and_load(text: str) -> DataSet:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        monkeypatch.setenv("IBBENCH_CACHE", str(folder))
        (folder / "mine.csv").write_bytes(text.encode())
        return load_dataset(options.model_copy(update={"path": str(folder / "mine.csv")}), lambda _: None)

    return write_and_load


def _write(rows: list[tuple[str, str]], end: str = "\n") -> tuple[str, list[int]]:
    """Return a CSV, and the line where each row begins: one more than there are ends of lines before it."""
    text, lines = io.StringIO(newline=""), []
    table = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    table.writerow(["smiles", "y"])
    for row in rows:
        lines.append(1 + len(re.findall("\r\n|\r|\n", text.getvalue())))
        table.writerow(row)
    return text.getvalue(), lines


@FEW
@given(st.lists(st.tuples(SMILES, VALUES), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_a_cell_gives_its_molecule_or_a_rejected_row(
    load: Callable[..., DataSet], rows: list[tuple[str, str]], end: str
) -> None:
    text, lines = _write([*rows, ("CCO", "7")], end)
    dataset = load(text)
    expected = [_expect(*row) for row in [*rows, ("CCO", "7")]]
    kept = [one for one in expected if one]
    assert dataset.smiles == [one.smiles for one in kept]
    assert dataset.values[:, 0].tolist() == [one.value for one in kept]
    assert dataset.ids.tolist() == [1 + number for number, one in enumerate(expected) if one]
    for number, one in enumerate(kept):
        _is_the_molecule(dataset, number, one)
    wrong = [line for line, one in zip(lines, expected, strict=True) if not one]
    listing = dataset.path.with_suffix(".rejected.csv")
    listed = list(csv.DictReader(io.StringIO(listing.read_bytes().decode(), newline=""))) if wrong else []
    assert listing.exists() == bool(wrong)
    assert sorted({int(row["line"]) for row in listed}) == wrong
    for row in listed:
        assert row["value"].strip() in [cell.strip() for cell in rows[lines.index(int(row["line"]))]]
        assert row["reason"]


def _is_the_molecule(dataset: DataSet, number: int, expected: Expected) -> None:
    atoms, bonds, mask, _, tokens = (part[number] for part in dataset.molecules)
    assert atoms[mask][:, 5].tolist() == [atom.GetAtomicNum() for atom in expected.graph.GetAtoms()]
    ends = {(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in expected.graph.GetBonds()}
    assert {tuple(pair) for pair in bonds.nonzero().tolist()} == ends | {pair[::-1] for pair in ends}
    spelled = "".join(TOKENS[code - 1].replace("other", "?") for code in tokens if code)
    assert spelled == "".join(letter if letter in {*"".join(TOKENS[:-1])} else "?" for letter in expected.smiles)


@FEW
@given(st.permutations(range(len(MOLECULES))))
def test_a_permutation_of_rows_permutes_the_data_set(load: Callable[..., DataSet], order: list[int]) -> None:
    rows = [(text, str(number)) for number, text in enumerate(MOLECULES)]
    one, other = load(_write(rows)[0]), load(_write([rows[number] for number in order])[0])
    place = torch.tensor(order)
    assert other.smiles == [one.smiles[number] for number in order]
    assert torch.equal(other.values, one.values[place])
    for part, permuted in zip(one.molecules.select(place), other.molecules, strict=True):
        assert np.array_equal(part.numpy(), permuted.numpy(), equal_nan=part.is_floating_point())


@FEW
@given(st.integers(1, 1000))
def test_a_second_spelling_changes_the_order_of_atoms_alone(load: Callable[..., DataSet], seed: int) -> None:
    spelled = [next(iter(Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(text), 1, seed))) for text in MOLECULES]
    one, other = (load(_write([(text, "1") for text in texts])[0]) for texts in (MOLECULES, spelled))
    assert torch.equal(one.groups, other.groups)
    assert torch.equal(one.molecules.atoms.sum(1), other.molecules.atoms.sum(1))
    assert torch.equal(one.molecules.bonds.flatten(1).sort().values, other.molecules.bonds.flatten(1).sort().values)
    assert one.odd_bonds == other.odd_bonds


@FEW
@given(st.text(max_size=60))
def test_any_text_for_a_file_is_a_data_set_or_a_message(load: Callable[..., DataSet], text: str) -> None:
    try:
        dataset = load("smiles,y\nCCO,1\n" + text)
    except InputError as error:
        assert "mine.csv" in str(error)
    else:
        assert dataset.smiles[0] == "CCO"
