"""Which molecules train, validate and test: seeded, nested, and recognisable by a fingerprint."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.division import DIVISIONS, OF_SOURCE
from ibbench.data.layout import PARTS
from ibbench.data.sources import get_source
from ibbench.errors import InputError
from ibbench.options.data import DataOptions

_NONE: Mapping[str, Tensor] = {}


class Split(NamedTuple):
    """Disjoint indices into a data set.

    Attributes:
        train_pool: the molecules that the train subsets of all replicas are drawn from, int64 `[P]`.
        validation: the molecules whose error decides which weights are kept, int64 `[V]`.
        test: the molecules that errors are reported on, int64 `[T]`; they are looked at once, at the end. There are
            none with `data.test_size=0`.
        train_size: the number of molecules of the pool that a replica trains on.
        fingerprint: 16 hexadecimal digits that change if any molecule moves to another part or place.
        split_seed: the seed that the division was drawn with.
        unlabelled: for each target that some molecules of the data set lack, by its name, whether each molecule lacks
            it, bool `[M]`.
    """

    train_pool: Tensor
    validation: Tensor
    test: Tensor
    train_size: int
    fingerprint: str
    split_seed: int
    unlabelled: Mapping[str, Tensor] = _NONE

    def of_target(self, target: str) -> "Split":
        """Return the division of the molecules that have a label of a target, with the same train size.

        Train subsets are drawn from these molecules alone, so that each has as many labels as the others.
        """
        if target not in self.unlabelled:
            return self
        labelled = ~self.unlabelled[target]
        parts = {name: getattr(self, name) for name in ("train_pool", "validation", "test")}
        return self._replace(unlabelled=_NONE, **{name: part[labelled[part]] for name, part in parts.items()})

    def of_targets(self, targets: Sequence[str], train_size: int | None) -> "Split":
        """Return the same division with replicas of some targets that train on `train_size` labels each.

        Args:
            targets: the targets of a run.
            train_size: the number of labels of each replica; None for all, if the targets have equally many.

        Raises:
            InputError: a target has too few labels in a part, or `train_size` is None and they have unequally many.
        """
        of_target = {target: self.of_target(target) for target in targets}
        for target, split in of_target.items():
            for part, found in (("train", split.train_pool), ("validation", split.validation), ("test", split.test)):
                if not len(found) and (part != "test" or len(self.test)):
                    raise InputError(f"`targets=[{target}]` is not possible: no {part} molecule has a label of it")
        counts = {target: len(split.train_pool) for target, split in of_target.items()}
        told = ", ".join(f"{target} {count:,}" for target, count in counts.items())
        if train_size is None and len({*counts.values()}) > 1:
            raise InputError(
                f"`data.train_size=null` is not possible: replicas of a run train on equally many labels, and of "
                f"{len(self.train_pool):,} molecules to train on have a label: {told}. Expected data.train_size="
                f"{min(counts.values())} or less, or a run for each target, as in 'targets=[{'],['.join(targets)}]'"
            )
        if train_size is not None and train_size > min(counts.values()) and self.unlabelled.keys() & {*targets}:
            raise InputError(
                f"`data.train_size={train_size}` is not possible: of {len(self.train_pool):,} molecules to train on "
                f"have a label: {told}"
            )
        return self._replace(train_size=train_size or min(counts.values()))

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
    if options.split in OF_SOURCE:
        assert dataset.parts is not None  # the options' own checks make sure of this
        test, own = (int((dataset.parts == PARTS.index(name)).sum()) for name in ("test", "validation"))
        validation = own or validation  # where the source has none, they are drawn from its train rows
    wants_test = options.test_size != 0
    if total - test - validation < 1 or validation < 1 or (wants_test and test < 1):
        raise InputError(_explain_sizes(options, test, total))
    together = get_source(options.source).keeps_repeats_together
    labels = dataset.groups.numpy() if together else np.arange(total)
    divided = DIVISIONS[options.split](dataset, options, labels, (test, validation))
    parts = tuple(torch.from_numpy(part) for part in divided)
    if not all(map(len, parts if wants_test else parts[1:])):
        raise InputError(_explain_empty_part(parts, labels, options))
    whole = Split(
        train_pool=parts[2],
        validation=parts[1],
        test=parts[0],
        train_size=len(parts[2]),
        fingerprint=_fingerprint(dataset, parts),
        split_seed=options.split_seed,
        unlabelled=find_unlabelled(dataset),
    )
    return whole.take(options.train_size)


def find_unlabelled(dataset: DataSet) -> Mapping[str, Tensor]:
    """Return for each target that some molecules lack, by its name, whether each molecule lacks it, bool `[M]`."""
    missing = dataset.values.isnan()
    columns = missing.any(0).nonzero().flatten().tolist()
    return {dataset.targets[column].name: missing[:, column] for column in columns}


def _sizes(options: DataOptions) -> str:
    return f"data.test_size={options.test_size} and data.validation_size={options.validation_size}"


def _explain_sizes(options: DataOptions, test: int, total: int) -> str:
    """Say that the sizes of test and validation leave no molecule for a part."""
    if options.split in OF_SOURCE and 0 < test < total:
        return (
            f"data.validation_size={options.validation_size} does not fit into the {total - test:,} molecules that the "
            "source leaves for training, with any left to train on"
        )
    if options.split not in OF_SOURCE:
        return f"{_sizes(options)} do not fit into {total:,} molecules with any left to train on"
    where = options.test_path or f"column {options.split_column or 'split'}"
    return f"{where} makes {test:,} of {total:,} molecules test: expected some, and not all"


def _explain_empty_part(parts: tuple[Tensor, ...], labels: np.ndarray, options: DataOptions) -> str:
    """Say why a part of a split is empty."""
    if options.split == "random":
        return (
            f"{_sizes(options)} do not fit: the {len(labels):,} rows are only {len(np.unique(labels)):,} different "
            "molecules, and a split divides none of them"
        )
    wanted = ((name, part) for name, part in zip(PARTS, parts, strict=True) if name != "test" or options.test_size)
    empty = " and ".join(name for name, part in wanted if not len(part))
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
