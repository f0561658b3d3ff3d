"""Parquet and SDF files are read as a CSV with the same molecules is, and mistakes in them are one line."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from rdkit import Chem
from rich.console import Console

from ibbench.commands.data import show_dataset
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config

MOLECULES = {"CCO": -0.77, "c1ccccc1": -1.64, "C[C@H](N)C(=O)O": 0.2, "[Na+].CC(=O)[O-]": 0.8, "C/C=C/Br": -2.0}
BROKEN = """broken
  none

  1  0  0  0  0  0            999 V2000
    0.0    0.0    0.0 Xx  0  0
M  END
> <logS>
1.0

$$$$
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]) -> Callable[..., DataSet]:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    frame = pd.DataFrame({"smiles": list(MOLECULES), "logS": list(MOLECULES.values())})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    frame.to_parquet(tmp_path / "mine.parquet")
    with Chem.SDWriter(str(tmp_path / "mine.sdf")) as writer:
        for smiles, value in MOLECULES.items():
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("logS", str(value))
            writer.write(molecule)

    def read(name: str, *overrides: str, say: Callable[[str], object] = print) -> DataSet:
        base = ("data=csv", f"data.path={tmp_path / name}", "data.target_columns=[logS]")
        return load_dataset(config(*base, *overrides).data, say)

    return read


@pytest.mark.parametrize("name", ["mine.parquet", "mine.sdf"])
def test_other_kinds_of_files_have_the_same_molecules(name: str, load: Callable[..., DataSet]) -> None:
    expected, found = load("mine.csv"), load(name)
    assert torch.equal(found.values, expected.values)
    assert [Chem.CanonSmiles(text) for text in found.smiles] == [Chem.CanonSmiles(text) for text in expected.smiles]
    assert torch.equal(found.molecules.atoms.sum(1), expected.molecules.atoms.sum(1))
    assert found.source != expected.source


def test_a_structure_that_cannot_be_read_and_a_value_that_is_missing_are_left_out(
    tmp_path: Path, load: Callable[..., DataSet]
) -> None:
    path, said = tmp_path / "mine.sdf", list[str]()
    text = path.read_text()
    first = text.index("$$$$\n") + 5
    path.write_text(text[:first].replace("-0.77", "") + BROKEN + text[first:])
    dataset = load("mine.sdf", say=said.append)
    assert (len(dataset), dataset.rejected) == (4, 2)
    assert "1: the value is missing" in said[-1]
    listed = dataset.path.with_suffix(".rejected.csv").read_text()
    assert f"\n{1 + text[:first].count(chr(10))},,structure,RDKit cannot read this structure\n" in listed


def test_missing_values_of_a_parquet_file_are_left_out(tmp_path: Path, load: Callable[..., DataSet]) -> None:
    frame = pd.DataFrame({"smiles": ["CCO", None, "CC", "C"], "logS": [1.5, 2.0, float("nan"), 4.0]})
    frame.to_parquet(tmp_path / "gaps.parquet")
    dataset = load("gaps.parquet")
    assert dataset.smiles == ["CCO", "C"]
    assert dataset.values[:, 0].tolist() == [1.5, 4.0]
    assert dataset.path.with_suffix(".rejected.csv").read_text().splitlines()[1:] == [
        "2,smiles,,it is empty", "3,logS,,the value is missing"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "overrides", "message"),
    [
        ("a.parquet", b"smiles,logS\nC,1\n", (), "is no readable Parquet file"),
        ("mine.parquet", None, ("data.smiles_column=SMILES",), "has no column `SMILES`: did you mean `smiles`"),
        ("a.sdf", b"", (), "has no molecule: expected an SDF file"),
        ("mine.sdf", None, ("data.target_columns=[logs]",), "has no value `logs`: did you mean `logS`"),
        (
            "mine.parque",
            None,
            (),
            "cannot be read: No such file or directory. In that folder: did you mean `mine.parquet`",
        ),
    ],
)
def test_mistakes_are_one_line(
    name: str,
    content: bytes | None,
    overrides: tuple[str, ...],
    message: str,
    tmp_path: Path,
    load: Callable[..., DataSet],
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        load(name, *overrides)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["empty.csv", "empty.parquet"])
def test_a_column_without_any_value_is_told_and_read_past(
    name: str, tmp_path: Path, load: Callable[..., DataSet]
) -> None:
    frame = pd.DataFrame({"smiles": list(MOLECULES), "logS": list(MOLECULES.values()), "none": float("nan")})
    frame.to_csv(tmp_path / "empty.csv", index=False)
    frame.to_parquet(tmp_path / "empty.parquet")
    both = (f"data.path={tmp_path / name}", "data.target_columns=[logS,none]")
    shown = io.StringIO()
    show_dataset(["data=csv", *both, "targets=[logS]"], Console(file=shown, width=200))
    assert "of 5 molecules have one: none 0" in shown.getvalue()
    assert load(name, *both).values[:, 0].tolist() == list(MOLECULES.values())
    with pytest.raises(InputError, match=r"column `none` of .* is to have two classes and has no value"):
        load(name, *both, "data.classes=[none]")
