from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.layout import MAX_ATOMS
from ibbench.data.sources import open_source
from ibbench.data.tokens import TOKENS
from ibbench.errors import InputError
from ibbench.options.config import Config

ROWS = ["CCO,-0.77,46.1", "c1ccccc1,-1.64,78.1", "CC(=O)O,1.22,60.1", "CCCCCCCCCCCC,-7.7,170.3"]
BROKEN = ["C1CC,-1.0,40.0", "CCN,,", "CCC,soluble,44.1", "CCCl,inf,64.5", ",1.0,2.0"]


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
    assert listed == [
        "line,column,value,reason",
        "6,smiles,C1CC,RDKit cannot parse it",
        "7,logS,,the value is missing",
        "7,weight,,the value is missing",
        "8,logS,soluble,it is no number",
        "9,logS,inf,it is no number",
        "10,smiles,,it is empty",
    ]
    assert "The first is line 6, column smiles, `C1CC`: RDKit cannot parse it." in said[-1]
    again: list[str] = []
    load(ROWS + BROKEN, say=again.append)
    assert again == said[-1:]  # from the cache, but still said


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
    with pytest.raises(InputError, match=r"no row of .* can be used. The first is line 2, column smiles, `C1CC`"):
        load(BROKEN)
    with pytest.raises(InputError, match="header but no rows"):
        load([])


def test_a_cell_with_a_line_break_moves_no_other_row(load: Callable[..., DataSet]) -> None:
    rows = ["CCO,1,1", '"CCO my\nethanol",2,2', "CCC,3,3", '"CC\n",4,4', "C#N,five,5"]
    said: list[str] = []
    dataset = load(rows, say=said.append)
    assert dataset.smiles == ["CCO", "CCC", "CC"]  # white space around a SMILES is none of it
    assert dataset.values[:, 0].tolist() == [1, 3, 4]
    assert dataset.ids.tolist() == [1, 3, 4]
    listed = dataset.path.with_suffix(".rejected.csv").read_text()
    assert '\n3,smiles,"CCO my\nethanol",white space inside: expected one SMILES' in listed
    assert "\n8,logS,five,it is no number\n" in listed  # the eighth line of the file, the fifth row
    assert load(rows, say=said.append).smiles == dataset.smiles  # from the cache


def test_names_behind_a_smiles_are_cut_off_where_that_is_asked_for(load: Callable[..., DataSet]) -> None:
    rows = ["CCO aspirin,1,1", "CCC\tmy propane,2,2", "CC,3,3", " C#N x,4,4", " ,5,5"]
    assert load(rows).smiles == ["CC"]
    named = load(rows, "data.smiles_names=true")
    assert named.smiles == ["CCO", "CCC", "CC", "C#N"]
    assert [[TOKENS[code - 1] for code in row if code] for row in named.molecules.tokens] == [
        ["C", "C", "O"], ["C", "C", "C"], ["C", "C"], ["C", "#", "N"]
    ]  # fmt: skip


def test_a_molecule_that_is_too_large_is_a_row_that_cannot_be_used(load: Callable[..., DataSet]) -> None:
    rows = [*ROWS, "C" * 129 + ",1,1", "C" * 128 + ",,"]
    dataset = load(rows)
    assert (len(dataset), dataset.rejected, dataset.molecules.padding.num_atoms) == (4, 2, 12)
    listed = dataset.path.with_suffix(".rejected.csv").read_text()
    assert f'\n6,smiles,{"C" * 129},"it has 129 atoms, more than 128"\n7,logS,,the value is missing\n' in listed
    smaller = load(rows, "data.max_atoms=6")
    assert smaller.smiles == ["CCO", "c1ccccc1", "CC(=O)O"]
    assert load(rows, "data.max_atoms=9", "data.hydrogens=explicit").smiles == ["CCO", "CC(=O)O"]


def test_no_more_atoms_can_be_asked_for_than_fit(config: Callable[..., Config]) -> None:
    columns = ("data=csv", "data.path=a.csv", "data.target_columns=[y]")
    assert config(*columns).data.max_atoms == MAX_ATOMS
    with pytest.raises(InputError, match="less than or equal to 128"):
        config(*columns, f"data.max_atoms={MAX_ATOMS + 1}")


def test_bonds_of_other_kinds_are_counted(load: Callable[..., DataSet]) -> None:
    dataset = load([*ROWS, "[NH3]->[Cu]<-[NH3],1,1", "C~C,2,2", "[Cr]$[Cr],3,3", "C~CC,,"])
    assert dataset.odd_bonds == {"dative": 2, "unspecified": 1, "quadruple": 1}
    assert (dataset.molecules.bonds != 0).sum((1, 2)).tolist()[-3:] == [4, 2, 2]


def test_how_a_file_is_read_makes_another_data_set_but_is_no_option_of_a_run(
    load: Callable[..., DataSet], config: Callable[..., Config]
) -> None:
    path = load(ROWS).path.parents[1] / "mine.csv"
    usual = config("data=csv", f"data.path={path}", "data.target_columns=[logS]")
    ways = {"smiles_names": True, "decimal": "comma", "encoding": "latin-1", "max_atoms": 100}
    given = [usual.data.model_copy(update={name: value}) for name, value in ways.items()]
    assert len({open_source(one).identify() for one in [usual.data, *given]}) == 5
    assert all(usual.model_copy(update={"data": one}).numerics() == usual.numerics() for one in given)
