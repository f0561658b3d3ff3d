from collections.abc import Callable

import pytest

from ibbench.data.dataset import DataSet
from ibbench.data.sources import Source, find_target, get_source, open_source, register
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.data import DataOptions
from ibbench.options.defaults import config_folder
from ibbench.options.sources import OnlyFor, source_names


@pytest.mark.parametrize("name", source_names())
def test_every_file_registers_a_source_under_its_name(name: str) -> None:
    source = get_source(name)
    assert issubclass(source, Source)
    assert source.name == name
    assert source.__module__ == f"ibbench.data.sources.{name}"
    assert (config_folder() / "data" / f"{name}.yaml").exists()


def test_an_unknown_source_is_named_with_the_nearest(config: Callable[..., Config]) -> None:
    message = "`data.source=qm9` is not possible: did you mean `qm9pack`"
    with pytest.raises(InputError, match=message):
        get_source("qm9")
    with pytest.raises(InputError, match=message):
        config("data.source=qm9")


def test_a_second_source_of_the_same_name_is_an_error() -> None:
    get_source("csv")
    with pytest.raises(InputError, match="two sources are called `csv`"):

        @register("csv")
        class _Other(Source):
            pass


def test_own_options_belong_to_sources_that_exist() -> None:
    marks = [mark for field in DataOptions.model_fields.values() for mark in field.metadata]
    assert {mark.source for mark in marks if isinstance(mark, OnlyFor)} <= set(source_names())


def test_a_data_set_is_what_its_source_says_unread(
    qm9: DataSet, qm9_explicit: DataSet, config: Callable[..., Config]
) -> None:
    for dataset in (qm9, qm9_explicit):
        source = open_source(config(f"data.hydrogens={dataset.hydrogens}").data)
        assert dataset.source == source.identify()
        assert dataset.targets == source.targets()
        assert dataset.molecules.padding == source.padding()
        assert [find_target(dataset.source, target.name) for target in dataset.targets] == list(dataset.targets)


def test_a_recorded_source_may_be_one_that_is_not_known_here() -> None:
    assert find_target("qm9pack", "logS") is None
    assert find_target("csv:0123456789abcdef", "gap") is None
    assert find_target("alchemy", "gap") is None


def test_qm9_without_one_of_its_features_is_refused(qm9: DataSet, config: Callable[..., Config]) -> None:
    source = open_source(config().data)
    source.check(qm9.molecules)
    few = qm9.molecules._replace(atoms=qm9.molecules.atoms[:5000].clone(), bonds=qm9.molecules.bonds[:5000])
    few.atoms[..., 9] = 0  # aromaticity
    without = few, qm9.molecules._replace(bonds=qm9.molecules.bonds[:5000].clamp(max=3))
    for molecules in without:
        with pytest.raises(RuntimeError, match="zero everywhere"):
            source.check(molecules)
