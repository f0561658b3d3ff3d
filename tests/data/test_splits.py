import dataclasses
from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.data.scaffolds import find_scaffolds, load_scaffolds
from ibbench.data.splits import Split, split_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config


def test_parts_are_disjoint_and_complete(qm9: DataSet, config: Callable[..., Config]) -> None:
    split = split_dataset(qm9, config().data)
    assert (len(split.test), len(split.validation)) == (10_000, 5_000)
    everything = torch.cat([split.test, split.validation, split.train_pool])
    assert torch.equal(everything.sort().values, torch.arange(len(qm9)))


def test_train_subsets_are_nested_and_differ_between_seeds(qm9: DataSet, config: Callable[..., Config]) -> None:
    small = split_dataset(qm9, config("data.train_size=1000").data)
    large = split_dataset(qm9, config("data.train_size=10000").data)
    assert torch.equal(small.train_subset(3), large.train_subset(3)[:1000])
    assert len(set(large.train_subset(3).tolist())) == 10_000
    shared = set(small.train_subset(0).tolist()) & set(small.train_subset(1).tolist())
    assert len(shared) < 50
    assert set(large.train_subset(0).tolist()) <= set(large.train_pool.tolist())


def test_fingerprint_is_the_same_on_every_machine(
    qm9: DataSet, qm9_explicit: DataSet, config: Callable[..., Config]
) -> None:
    options = config().data
    assert split_dataset(qm9, options).fingerprint == "7227fd9d4c6e848a"
    assert split_dataset(qm9_explicit, options).fingerprint == "7227fd9d4c6e848a"
    assert split_dataset(qm9, config("data.train_size=20").data).fingerprint == "7227fd9d4c6e848a"
    assert split_dataset(qm9, config("data.split_seed=1").data).fingerprint != "7227fd9d4c6e848a"


def test_fingerprint_covers_the_identities(qm9: DataSet, config: Callable[..., Config]) -> None:
    smiles = list(qm9.smiles)
    smiles[77] = "CCCC"
    changed = dataclasses.replace(qm9, smiles=smiles)
    assert split_dataset(changed, config().data).fingerprint != split_dataset(qm9, config().data).fingerprint


def test_sizes_that_do_not_fit_are_refused(qm9: DataSet, config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"115,831 are left"):
        split_dataset(qm9, config("data.train_size=115832").data)
    with pytest.raises(InputError, match="do not fit"):
        split_dataset(qm9, config("data.test_size=130000").data)
    assert split_dataset(qm9, config("data.train_size=null").data).train_size == 115_831


Divided = Callable[..., tuple[Split, list[torch.Tensor]]]


@pytest.fixture
def divided(qm9: DataSet, config: Callable[..., Config]) -> Divided:
    """Divide QM9, and check what holds for every division."""

    def divide(*overrides: str) -> tuple[Split, list[torch.Tensor]]:
        split = split_dataset(qm9, config(*overrides).data)
        parts = [split.test, split.validation, split.train_pool]
        assert len(torch.cat(parts).unique()) == sum(map(len, parts)) <= len(qm9)
        assert (len(split.test), len(split.validation)) == (10_000, 5_000)
        return split, parts

    return divide


def test_no_scaffold_is_on_two_sides(qm9: DataSet, divided: Divided) -> None:
    scaffolds = load_scaffolds(qm9)
    split, parts = divided("data.split=scaffold")
    assert sum(map(len, parts)) == len(qm9)
    of_part = [set(scaffolds[part.numpy()].tolist()) for part in parts]
    assert not of_part[0] & of_part[1] | of_part[0] & of_part[2] | of_part[1] & of_part[2]
    assert len(of_part[0]) > 100
    assert split.fingerprint == divided("data.split=scaffold")[0].fingerprint  # from the cache this time
    assert split.fingerprint != divided("data.split=scaffold", "data.split_seed=1")[0].fingerprint


def test_scaffolds_are_rings_and_what_links_them() -> None:
    smiles = ["CCO", "OC(C)c1ccccc1", "CCCc1ccc(N)cc1", "C1CC1CCc1ccccc1", "C[C@H]1CCO1"]
    assert find_scaffolds(smiles) == ["", "c1ccccc1", "c1ccccc1", "c1ccc(CCC2CC2)cc1", "C1COC1"]


def test_test_molecules_are_at_least_as_large_as_all_others(qm9: DataSet, divided: Divided) -> None:
    sizes = qm9.molecules.mask.sum(1)
    _, (test, *others) = divided("data.split=size")
    assert sizes[test].min() >= sizes[torch.cat(others)].max()


def test_test_molecules_have_the_largest_values(qm9: DataSet, divided: Divided) -> None:
    gap = qm9.values[:, qm9.column("gap")]
    _, (test, *others) = divided("data.split=target_tail", "data.split_target=gap")
    assert gap[test].min() >= gap[torch.cat(others)].max()


def test_nothing_of_a_held_out_element_is_trained_on(
    qm9: DataSet, divided: Divided, config: Callable[..., Config]
) -> None:
    numbers = qm9.molecules.atoms[..., ATOMIC_NUMBER]
    has = ((numbers == 7) | (numbers == 9)).any(1)
    _, (test, *others) = divided("data.split=element", "data.held_out=[N,F]")
    assert has[test].all()
    assert not has[torch.cat(others)].any()
    count = sum("F" in text for text in qm9.smiles)
    with pytest.raises(InputError, match=f"only {count:,} of the 130,831 molecules have such an atom"):
        split_dataset(qm9, config("data.split=element", "data.held_out=F").data)
    with pytest.raises(InputError, match=r"data.held_out has `Xx`, which is no element"):
        split_dataset(qm9, config("data.split=element", "data.held_out=[Xx]").data)
    with pytest.raises(InputError, match="no molecules are left for train"):
        split_dataset(qm9, config("data.split=element", "data.held_out=C", "data.test_size=10").data)


def test_runs_of_the_random_split_keep_their_names(config: Callable[..., Config]) -> None:
    assert {"split", "held_out", "split_target", "split_column"}.isdisjoint(config().numerics()["data"])
    assert config("data.split=size").numerics()["data"]["split"] == "size"
