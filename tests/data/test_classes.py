"""Columns of two classes: which words are read, and what is said of all others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.data.classes import read_classes
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.run.plan import plan

SMILES = ["C", "CC", "CCC", "CCO", "CCN", "CO", "CN", "C=O", "C#N", "CCCC", "C=C", "C#C"]
Load = Callable[..., tuple[DataSet, list[str]]]


@pytest.fixture
def load(config: Callable[..., Config], tmp_path: Path) -> Load:
    def read(cells: list[str], *options: str) -> tuple[DataSet, list[str]]:
        path, said = tmp_path / "mine.csv", list[str]()
        rows = "".join(f"{smiles},{cell}\n" for smiles, cell in zip(SMILES, cells, strict=False))
        path.write_text("smiles,toxic\n" + rows)
        base = ("data=csv", f"data.path={path}", "data.target_columns=[toxic]", "targets=[toxic]")
        return load_dataset(config(*base, *options).data, said.append), said

    return read


@pytest.mark.parametrize("words", ["1 0", "1.0 0", "True FALSE", "yes no", "Active inactive", "BBB+ BBB-", "+ -"])
def test_words_of_two_classes_are_read(words: str, load: Load) -> None:
    one, zero = words.split()
    dataset, said = load([one, zero, f" {one} ", "", zero], "data.classes=[toxic]")
    assert dataset.values[:, 0].tolist() == [1, 0, 1, 0]
    assert dataset.targets[0].is_class
    assert dataset.targets[0].unit == "nats"
    assert "line 5, column toxic, ``: the value is missing" in said[-1]


def test_classes_may_be_numbers_with_a_comma(load: Load) -> None:
    dataset, _ = load(['"1,0"', '"0,0"', "1"], "data.classes=[toxic]", "data.decimal=comma")
    assert dataset.values[:, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["1", "0", "2", "maybe", "2"], "has `2`, `maybe`: expected 1/0, true/false, yes/no"),
        (["a+", "b-"], "has `a+`, `b-`: expected"),
        (["1", "1.0", ""], "has only `1`, `1.0`: there is nothing to tell apart"),
        (["", ""], "has no value: there is nothing to tell apart"),
        ([f"{number}" for number in range(2, 12)], "`6` and 5 more: expected"),
    ],
)
def test_other_words_are_refused_and_named(cells: list[str], told: str, load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load(cells, "data.classes=[toxic]")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_of_another_reading_is_another_data_set_and_one_without_classes_stays_as_it_was(load: Load) -> None:
    cells = ["1", "0", "1", "0"]
    (numbers, said), (classes, nothing) = load(cells), load(cells, "data.classes=[toxic]")
    assert numbers.source != classes.source
    assert said[-1] == (
        "toxic has only the values 0 and 1, and is read as a number: 'data.classes=[toxic]' makes it a class"
    )
    assert not any("has only the values" in line for line in nothing)
    assert not any("has only the values" in line for line in load(["1", "0", "0.5", "0"])[1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("data.classes=[other]",), "data.classes names other, which data.target_columns does not"),
        (("data.classes=[toxic]", "data.units={toxic: eV}"), "a class has no unit"),
        (("data.units={toxic: nats}",), "tables keep for the log loss of classes"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: tuple[str, ...], told: str, load: Load) -> None:
    with pytest.raises(InputError, match=told):
        load(["1", "0"], *options)


def test_both_classes_must_be_in_all_parts(config: Callable[..., Config], load: Load, tmp_path: Path) -> None:
    load(["1", *["0"] * 11], "data.classes=[toxic]")
    base = ("data=csv", f"data.path={tmp_path / 'mine.csv'}", "data.target_columns=[toxic]", "data.classes=[toxic]")
    sizes = ("data.train_size=6", "data.validation_size=2", "data.test_size=2", "targets=[toxic]", "model=mlp")
    with pytest.raises(InputError, match=r"all have toxic = 0, and both classes are needed there"):
        plan(config(*base, *sizes))


@pytest.mark.parametrize("option", ["loss=mse", "reference=composition"])
def test_options_that_change_nothing_of_classes_are_refused(
    option: str, config: Callable[..., Config], load: Load, tmp_path: Path
) -> None:
    load(["1", "0"] * 6, "data.classes=[toxic]")
    base = ("data=csv", f"data.path={tmp_path / 'mine.csv'}", "data.target_columns=[toxic]", "data.classes=[toxic]")
    sizes = ("data.validation_size=4", "data.test_size=4", "targets=[toxic]", "model=mlp", "data.split_seed=3")
    with pytest.raises(InputError, match=f"`{option}` changes nothing: all targets are classes"):
        plan(config(*base, *sizes, option))


def test_capitals_do_not_matter() -> None:
    assert read_classes(["YES", "No"], "column") == {"YES": 1.0, "No": 0.0}
