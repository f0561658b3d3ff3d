"""Which molecules train, validate and test: seeded, nested, and recognisable by a fingerprint."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.division import DIVISIONS
from ibbench.data.layout import PARTS
from ibbench.data.sources import get_source
from ibbench.errors import InputError
from ibbench.options.groups import DataOptions


class Split(NamedTuple):
    """Disjoint indices into a data set.

    Attributes:
        train_pool: the molecules that the train subsets of all replicas are drawn from, int64 `[P]`.
        validation: the molecules whose error decides which weights are kept, int64 `[V]`.
        test: the molecules that errors are reported on, int64 `[T]`; they are looked at once, at the end.
        train_size: the number of molecules of the pool that a replica trains on.
        fingerprint: 16 hexadecimal digits that change if any molecule moves to another part or place.
        split_seed: the seed that the division was drawn with.
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
            InputError: the pool has fewer molecules than `train_size`.
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
        """Return the train molecules of a replica, drawn by its seed, int64 `[train_size]`.

        Subsets are nested: at a smaller `train_size`, the same seed gives the first of the same molecules.
        """
        order = np.random.RandomState([self.split_seed, seed]).permutation(len(self.train_pool))
        return self.train_pool[torch.from_numpy(order[: self.train_size])]


def split_dataset(dataset: DataSet, options: DataOptions) -> Split:
    """Divide a data set as `data.split` says; the test and validation molecules do not depend on `train_size`.

    All rows of one molecule are in one part, unless the source says otherwise. In the order of the division, a molecule
    goes to a part that has room for all its rows; where nothing fits in the end, a part is smaller than asked for.

    Raises:
        InputError: there are too few molecules for the sizes asked for, or none are left for a part.
    """
    total = len(dataset)
    test, validation = _count(options.test_size, total), _count(options.validation_size, total)
    if options.split == "column":
        assert dataset.parts is not None  # the options' own checks make sure of this
        test = int((dataset.parts == PARTS.index("test")).sum())
    if total - test - validation < 1 or min(test, validation) < 1:
        raise InputError(
            f"{_sizes(options)} do not fit into {total:,} molecules with any left to train on"
            if options.split != "column"
            else f"column {options.split_column or 'split'} has {test:,} of {total:,} molecules test: expected some, "
            "and not all"
        )
    together = get_source(options.source).keeps_repeats_together
    labels = dataset.groups.numpy() if together else np.arange(total)
    divided = DIVISIONS[options.split](dataset, options, labels, (test, validation))
    parts = tuple(torch.from_numpy(part) for part in divided)
    if not all(map(len, parts)):
        raise InputError(_explain_empty_part(parts, labels, options))
    whole = Split(
        train_pool=parts[2],
        validation=parts[1],
        test=parts[0],
        train_size=len(parts[2]),
        fingerprint=_fingerprint(dataset, parts),
        split_seed=options.split_seed,
    )
    return whole.take(options.train_size)


def _sizes(options: DataOptions) -> str:
    return f"data.test_size={options.test_size} and data.validation_size={options.validation_size}"


def _explain_empty_part(parts: tuple[Tensor, ...], labels: np.ndarray, options: DataOptions) -> str:
    """Say why a part of a split is empty."""
    if options.split == "random":
        return (
            f"{_sizes(options)} do not fit: the {len(labels):,} rows are only {len(np.unique(labels)):,} different "
            "molecules, and a split divides none of them"
        )
    empty = " and ".join(name for name, part in zip(PARTS, parts, strict=True) if not len(part))
    return f"with data.split={options.split} and {_sizes(options)} no molecules are left for {empty}"


def _count(size: float, total: int) -> int:
    """Return the number of molecules that an option asks for: `size` itself if it is an integer, or a share of all."""
    return size if isinstance(size, int) else round(size * total)


def _fingerprint(dataset: DataSet, parts: tuple[Tensor, ...]) -> str:
    """Hash the identities of the molecules, part by part: machines and library versions do not enter."""
    lines = [f"{one} {smiles}" for one, smiles in zip(dataset.ids.tolist(), dataset.smiles, strict=True)]
    rows = np.array(lines, dtype=object)
    digest = hashlib.sha256()
    for part in parts:
        digest.update("\n".join(rows[part.numpy()]).encode() + b"\0")
    return digest.hexdigest()[:16]
