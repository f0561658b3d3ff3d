from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config

ROWS = ["CCO,-0.77,46.1", "c1ccccc1,-1.64,78.1", "CC(=O)O,1.22,60.1", "CCCCCCCCCCCC,-7.7,170.3"]
BROKEN = ["C1CC,-1.0,40.0", "CCN,,45.1", "CCC,soluble,44.1", "CCCl,inf,64.5", ",1.0,2.0"]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]) -> Callable[..., DataSet]:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))

    def write_and_load(rows: list[str], *overrides: str, say: Callable[[str], object] = print) -> DataSet:
        path = tmp_path / "mine.csv"
        path.write_text("smiles,logS,weight\n" + "".join(f"{row}\n" for row in rows))
        base = ["data=csv", f"data.path={path}", "data.target_columns=[logS,weight]"]
        return load_dataset(config(*base, *overrides).data, say)

    return write_and_load


def test_columns_become_targets_with_their_units(load: Callable[..., DataSet]) -> None:
    dataset = load(ROWS, "data.units={weight: g/mol}")
    assert [(target.name, target.unit) for target in dataset.targets] == [("logS", ""), ("weight", "g/mol")]
    assert dataset.values.tolist() == [[-0.77, 46.1], [-1.64, 78.1], [1.22, 60.1], [-7.7, 170.3]]
    assert dataset.molecules.mask.sum(1).tolist() == [3, 6, 4, 12]
    assert dataset.ids.tolist() == [1, 2, 3, 4]
    assert dataset.molecules.positions[dataset.molecules.mask].isnan().all()


def test_unusable_rows_are_counted_listed_and_left_out(load: Callable[..., DataSet]) -> None:
    said: list[str] = []
    dataset = load(ROWS + BROKEN, say=said.append)
    assert (len(dataset), dataset.rejected) == (4, 5)
    assert "5 of 9 rows" in said[-1]
    listed = next(dataset.path.parent.glob("*.rejected.csv")).read_text().splitlines()
    assert len(listed) == 1 + len(BROKEN)
    assert listed[1] == "5,C1CC,RDKit cannot parse the SMILES"
    assert listed[2] == "6,CCN,a target value is missing or no number"
    again: list[str] = []
    load(ROWS + BROKEN, say=again.append)
    assert len(again) == 1  # from the cache, but still said
    assert "5 of 9 rows" in again[0]


def test_strict_refuses_instead(load: Callable[..., DataSet]) -> None:
    with pytest.raises(InputError, match=r"5 of 9 rows .* data.strict=true"):
        load(ROWS + BROKEN, "data.strict=true")
    assert len(load(ROWS, "data.strict=true")) == 4


def test_an_edited_file_is_another_data_set(load: Callable[..., DataSet]) -> None:
    before = load(ROWS)
    after = load([*ROWS, "CCCC,-2.6,58.1"])
    assert before.path != after.path
    assert (len(before), len(after)) == (4, 5)


def test_explicit_hydrogens_pad_to_the_largest(load: Callable[..., DataSet]) -> None:
    dataset = load(ROWS, "data.hydrogens=explicit")
    assert dataset.molecules.mask.sum(1).tolist() == [9, 12, 8, 38]
    assert torch.equal(dataset.composition()[0], load(ROWS).composition()[0])


def test_a_repeated_column_is_refused(tmp_path: Path, config: Callable[..., Config]) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("smiles,y,y\nCCO,1,2\n")
    with pytest.raises(InputError, match="several columns `y`"):
        load_dataset(config("data=csv", f"data.path={path}", "data.target_columns=[y]").data)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.smiles_column=SMILES"], "no column `SMILES`: did you mean `smiles`"),
        (["data.target_columns=[logs]"], "no column `logs`: did you mean `logS`"),
        (["data.path=/nowhere/mine.csv"], "`data.path=/nowhere/mine.csv` cannot be read: No such file"),
        (["data.units={logK: s}"], "data.units names logK"),
    ],
)
def test_bad_options_say_what_was_expected(load: Callable[..., DataSet], overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(ROWS, *overrides)


def test_a_file_without_usable_rows_is_refused(load: Callable[..., DataSet]) -> None:
    with pytest.raises(InputError, match="no row of"):
        load(BROKEN)
    with pytest.raises(InputError, match="header but no rows"):
        load([])
