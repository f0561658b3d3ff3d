"""Files that are right and look odd: marks of what was not measured, atom maps, old ends of lines, columns twice."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from rdkit import Chem

from ibbench.data.build import build
from ibbench.data.classes import read_classes
from ibbench.data.dataset import load_dataset
from ibbench.data.featurize import canonical_smiles
from ibbench.data.scaffolds import find_scaffolds
from ibbench.data.sdf import read_sdf
from ibbench.data.sources import Geometry, Rows, open_source
from ibbench.data.splits import split_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.report.predictions import csv_line
from ibbench.training.metrics import measure

MakeConfig = Callable[..., Config]


def test_a_dash_is_no_class_beside_numbers_or_words() -> None:
    for texts in (["1", "0", "-"], ["1", "-"], ["yes", "no", "-"], ["yes", "+"]):
        with pytest.raises(InputError, match="is to have two classes"):
            read_classes(texts, "tox")
    assert read_classes(["+", "-"], "tox") == {"+": 1, "-": 0}
    assert read_classes(["BBB+", "BBB-"], "tox") == {"BBB+": 1, "BBB-": 0}


def _mapped(smiles: str) -> str:
    molecule = Chem.MolFromSmiles(smiles)
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    return str(Chem.MolToSmiles(molecule))


def test_numbers_of_a_reaction_change_neither_scaffold_nor_identity() -> None:
    plain = ["Cc1ccccc1", "CCc1ccccc1O", "C1CCNCC1", "CCO"]
    assert find_scaffolds([_mapped(text) for text in plain]) == find_scaffolds(plain)
    spelled = ["[CH3:1][C@H]([CH3:2])[OH:3]", "[CH3:1][C@@H]([CH3:2])[OH:3]", "[CH3:1][CH:4]([CH3:2])[OH:3]"]
    assert {canonical_smiles(Chem.MolFromSmiles(text)) for text in spelled} == {"CC(C)O"}
    assert canonical_smiles(Chem.MolFromSmiles("[CH3:1][C@H](F)Cl")) == Chem.CanonSmiles("C[C@H](F)Cl")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_structures_end_with_any_end_of_lines(end: str) -> None:
    blocks = [Chem.MolToMolBlock(Chem.MolFromSmiles(text)) + f"> <y>\n{text}\n\n$$$$\n" for text in ("CCO", "c1ccccc1")]
    found = read_sdf("".join(blocks).replace("\n", end).encode(), "mine.sdf", ["y"])
    assert found.columns["y"] == found.smiles == ["CCO", "c1ccccc1"]
    assert found.lines == [1, 1 + blocks[0].count("\n")]


def test_a_cell_with_an_end_of_line_is_quoted() -> None:
    line = csv_line(["CCO", "a\rb", "c\nd", "e"])
    assert list(csv.reader(io.StringIO(line, newline=""))) == [["CCO", "a\rb", "c\nd", "e"]]
    assert csv_line(["CCO", "1.5"]) == "CCO,1.5\n"


def test_a_column_that_is_there_twice_is_refused(config: MakeConfig, tmp_path: Path) -> None:
    columns = [pa.array(["CCO", "CCC"]), pa.array([1.0, 2.0]), pa.array([3.0, 4.0])]
    path = tmp_path / "twice.parquet"
    parquet.write_table(pa.Table.from_arrays(columns, names=["smiles", "y", "y"]), path)
    with pytest.raises(InputError, match="several columns `y`"):
        load_dataset(config("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]").data)


def test_a_division_of_ones_own_needs_no_sizes(config: MakeConfig, tmp_path: Path) -> None:
    rows = [f"{'C' * (1 + place)}O,{place},{part}\n" for place, part in enumerate(["train"] * 3 + ["valid"] * 2)]
    rows += [f"{'C' * (1 + place)}N,{place},test\n" for place in range(55)]
    (tmp_path / "mine.csv").write_text("smiles,y,split\n" + "".join(rows))
    words = ["data=csv", f"data.path={tmp_path / 'mine.csv'}", "data.target_columns=[y]", "targets=[y]"]
    words += ["data.split=column", "data.split_column=split", "data.train_size=null"]
    given = config(*words, "data.validation_size=0.1", "data.test_size=0.1").data
    split = split_dataset(load_dataset(given, str), given)
    assert (len(split.train_pool), len(split.validation), len(split.test)) == (3, 2, 55)


def test_labels_that_rounding_tells_apart_are_constant() -> None:
    import torch

    found = measure(torch.full((7,), 0.3, dtype=torch.float64), torch.full((7,), 0.1, dtype=torch.float64))
    assert found.r2 is None
    assert found.mae_over_std is None


def test_rows_without_a_molecule_leave_the_coordinates_of_others_alone(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(config().data)
    smiles = ["CC", "not one", "CO"]
    of_atoms = [([6, 6, *[1] * 6], 8), ([6], 1), ([6, 8, *[1] * 4], 6)]
    numbers = np.concatenate([np.array(atoms, dtype=np.uint8) for atoms, _ in of_atoms])
    molecule = np.repeat(np.arange(3), [count for _, count in of_atoms])
    coordinates = np.arange(3 * len(numbers), dtype=np.float32).reshape(-1, 3)
    coordinates[:8] = [[0, 0, 0], [1.5, 0, 0], *[[-0.5, 0.9, 0]] * 3, *[[2.0, 0.9, 0]] * 3]
    coordinates[9:] = [[0, 0, 0], [1.4, 0, 0], *[[-0.5, 0.9, 0]] * 3, [1.9, 0.9, 0]]
    values = np.zeros((3, len(source.targets())))
    rows = Rows(np.arange(3), smiles, values, Geometry(numbers, coordinates, molecule))
    monkeypatch.setattr(type(source), "read", lambda _self: rows)
    built = build(source)
    assert built.facts["rejected"] == 1
    assert built.arrays["positions"][:, 1].tolist() == [[1.5, 0, 0], pytest.approx([1.4, 0, 0])]
