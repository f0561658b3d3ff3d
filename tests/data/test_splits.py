import dataclasses
from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
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
