"""Which molecules train, validate and test: seeded, nested, and recognisable by a fingerprint."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.errors import InputError
from ibbench.options.groups import DataOptions


class Split(NamedTuple):
    """Disjoint indices into a data set.

    Attributes:
        train_pool: what the train subsets of all replicas are drawn from.
        validation: chooses the epoch whose weights are kept.
        test: looked at once, at the end.
        train_size: how many molecules of the pool a replica trains on.
        fingerprint: 16 hexadecimal digits that change when any molecule changes its place.
        split_seed: what the division was drawn with.
    """

    train_pool: Tensor
    validation: Tensor
    test: Tensor
    train_size: int
    fingerprint: str
    split_seed: int

    def take(self, train_size: int | None) -> "Split":
        """Return the same division with replicas that train on `train_size` molecules of the pool; None for all.

        Raises:
            InputError: there are not so many.
        """
        left = len(self.train_pool)
        if train_size is not None and train_size > left:
            test, validation = len(self.test), len(self.validation)
            raise InputError(
                f"`data.train_size={train_size}` is not possible: of {left + test + validation:,} molecules, {left:,} "
                f"are left after {test:,} for test and {validation:,} for validation"
            )
        return self._replace(train_size=train_size or left)

    def train_subset(self, seed: int) -> Tensor:
        """Return the train molecules of a replica, drawn by its seed; a smaller `train_size` is a prefix."""
        order = np.random.RandomState([self.split_seed, seed]).permutation(len(self.train_pool))
        return self.train_pool[torch.from_numpy(order[: self.train_size])]


def split_dataset(dataset: DataSet, options: DataOptions) -> Split:
    """Divide a data set by `data.split_seed`; the test and validation molecules do not depend on `train_size`.

    Raises:
        InputError: there are too few molecules for the sizes asked for.
    """
    total = len(dataset)
    test, validation = _count(options.test_size, total), _count(options.validation_size, total)
    left = total - test - validation
    if left < 1 or min(test, validation) < 1:
        raise InputError(
            f"data.test_size={options.test_size} and data.validation_size={options.validation_size} "
            f"do not fit into {total:,} molecules with any left to train on"
        )
    # RandomState's stream is frozen (NEP 19): the same seed gives the same split with every NumPy.
    order = torch.from_numpy(np.random.RandomState(options.split_seed).permutation(total))
    parts = order.split([test, validation, left])
    whole = Split(
        train_pool=parts[2],
        validation=parts[1],
        test=parts[0],
        train_size=left,
        fingerprint=_fingerprint(dataset, parts),
        split_seed=options.split_seed,
    )
    return whole.take(options.train_size)


def _count(size: float, total: int) -> int:
    return size if isinstance(size, int) else round(size * total)


def _fingerprint(dataset: DataSet, parts: tuple[Tensor, ...]) -> str:
    """Hash the identities of the molecules, part by part: machines and library versions do not enter."""
    ids = dataset.ids.tolist()
    digest = hashlib.sha256()
    for part in parts:
        digest.update("\n".join(f"{ids[i]} {dataset.smiles[i]}" for i in part.tolist()).encode() + b"\0")
    return digest.hexdigest()[:16]
