"""Targets that are the molecule itself, for models that restore molecules and need no labels."""

import dataclasses
import functools

import torch

from ibbench.data.dataset import DataSet
from ibbench.data.targets import ITSELF
from ibbench.errors import InputError


@functools.lru_cache(maxsize=2)  # the points of a sweep share it
def with_itself(dataset: DataSet, name: str) -> DataSet:
    """Return the data set with one target more, a column of zeros.

    Args:
        dataset: the molecules.
        name: the target, a name of `ITSELF`.

    Raises:
        InputError: the data set has a target of this name already.
    """
    if name in [target.name for target in dataset.targets]:
        raise InputError(
            f"the data have a target `{name}`, which is what models call the molecule itself: expected another name "
            "for that column"
        )
    values = torch.cat([dataset.values, dataset.values.new_zeros(len(dataset), 1)], dim=1)
    return dataclasses.replace(dataset, values=values, targets=(*dataset.targets, ITSELF[name]))


def is_itself(dataset: DataSet, target: str) -> bool:
    """Return whether a target of the data set is the molecule itself, and no column that only has its name."""
    return dataset.targets[dataset.column(target)] == ITSELF.get(target)
