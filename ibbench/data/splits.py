"""Which molecules train, validate and test: seeded, nested, and recognisable by a fingerprint."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.sources import get_source
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

    All rows of one molecule are in one part, unless the source says otherwise. In the drawn order, a molecule goes to
    the first of test, validation and train that has room for all its rows; where nothing fits in the end, a part is
    smaller than asked for.

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
    together = get_source(options.source).keeps_repeats_together
    groups = dataset.groups.numpy() if together else np.arange(total)
    parts = tuple(torch.from_numpy(part) for part in _divide(groups, (test, validation), options.split_seed))
    if not all(map(len, parts)):
        raise InputError(
            f"data.test_size={options.test_size} and data.validation_size={options.validation_size} do not fit: the "
            f"{total:,} rows are only {len(np.unique(groups)):,} different molecules, and a split divides none of them"
        )
    whole = Split(
        train_pool=parts[2],
        validation=parts[1],
        test=parts[0],
        train_size=len(parts[2]),
        fingerprint=_fingerprint(dataset, parts),
        split_seed=options.split_seed,
    )
    return whole.take(options.train_size)


def _divide(groups: np.ndarray, sizes: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Draw test, validation and train, each as indices in the drawn order; see `split_dataset`.

    Args:
        groups: a number for each molecule, the same for the same, `[M]`.
        sizes: numbers of molecules that test and that validate; the others train.
        seed: the seed of the draw.
    """
    _, group, count = np.unique(groups, return_inverse=True, return_counts=True)
    # RandomState's stream is frozen (NEP 19): the same seed gives the same split with every NumPy.
    order = np.random.RandomState(seed).permutation(len(count))
    part_of, place = np.full_like(order, 2), np.empty_like(order)
    place[order] = np.arange(len(order))
    room = list(sizes)
    for one, rows in zip(order.tolist(), count[order].tolist(), strict=True):
        if not any(room):
            break  # all others train
        part = next((part for part, free in enumerate(room) if rows <= free), 2)
        if part < 2:
            room[part] -= rows
            part_of[one] = part
    drawn = np.argsort(place[group], kind="stable")
    return [drawn[part_of[group[drawn]] == part] for part in range(3)]


def _count(size: float, total: int) -> int:
    return size if isinstance(size, int) else round(size * total)


def _fingerprint(dataset: DataSet, parts: tuple[Tensor, ...]) -> str:
    """Hash the identities of the molecules, part by part: machines and library versions do not enter."""
    lines = [f"{one} {smiles}" for one, smiles in zip(dataset.ids.tolist(), dataset.smiles, strict=True)]
    rows = np.array(lines, dtype=object)
    digest = hashlib.sha256()
    for part in parts:
        digest.update("\n".join(rows[part.numpy()]).encode() + b"\0")
    return digest.hexdigest()[:16]
