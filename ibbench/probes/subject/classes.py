"""Classes of molecules that a model cannot tell apart, whatever its weights, from what it declares of itself."""

import functools
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibbench.data.colours import refine
from ibbench.data.dataset import DataSet
from ibbench.data.graphs import altered_molecules
from ibbench.data.molecules import Molecules
from ibbench.models.registry import get_model
from ibbench.options.groups import DataOptions
from ibbench.options.model import ModelOptions

_BLOCK = 16384  # molecules that are refined at a time
WHOLE, ATOMS = "", "atoms"  # parts: all that the model sees, and its atoms alone


class Floor(NamedTuple):
    """The least error of a function of classes, in the unit of the values.

    Attributes:
        mae: on these molecules, exactly.
        new: about that on others: of each molecule, predicted by those of its class but itself.
        num_classes: how many there are.
        shared: the share of molecules that are not alone in theirs.
    """

    mae: float
    new: float
    num_classes: int
    shared: float


def floor_of(classes: NDArray[Any], values: NDArray[np.float64]) -> Floor:
    """Return the error that no function of the class of a molecule can be below.

    Of all constants the median of a class has the least mean deviation. That of n molecules around their own median is
    too small for others of the class, so `new` has it times n / (n - 1): for two, the difference of one from the other.
    A molecule alone in its class counts as 0. Others of its class may exist, so both are lower bounds.

    Args:
        classes: the class of each molecule, `[M]`.
        values: the target of each, `[M]`.
    """
    _, place, count = np.unique(classes, return_inverse=True, return_counts=True)
    ordered = values[np.lexsort((values, place))]
    start = np.cumsum(count) - count
    median = (ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2
    of_molecule = count[place]
    deviation = np.abs(values - median[place])
    new = deviation * of_molecule / np.maximum(of_molecule - 1, 1)
    return Floor(float(deviation.mean()), float(new.mean()), len(count), float((of_molecule > 1).mean()))


def classes_of(dataset: DataSet, data: DataOptions, options: ModelOptions) -> dict[str, NDArray[Any]]:
    """Return the class of each molecule, `[M]`, by part: after each layer, and of all that the model sees (`WHOLE`).

    A model may see less: an average forgets numbers that a sum keeps, a window on a string does not see all of it.

    Args:
        dataset: the molecules.
        data: what is made of them before the model gets them.
        options: those of the model.
    """
    return _classes(dataset, data.graph, data.features, options.model_copy(update={"width": None, "hidden": None}))


@functools.lru_cache(maxsize=8)
def _classes(dataset: DataSet, graph: str, features: str, options: ModelOptions) -> dict[str, NDArray[Any]]:
    model = get_model(options.name)
    reads = model.reads_with(options)
    molecules = altered_molecules(dataset, graph, features)
    if "permutation" not in model.symmetries or "positions" in reads:
        return {WHOLE: _rows([getattr(molecules, field) for field in sorted(reads)])}
    rounds = options.depth if "bonds" in reads else 0
    found: list[list[NDArray[np.uint64]]] = [[] for _ in range(rounds + 1)]
    for index in torch.arange(len(dataset)).split(_BLOCK):
        block = molecules.select(index)
        for keys, more in zip(found, _refine(block, options, rounds), strict=True):
            keys.append(more)
    names = [ATOMS, *(f"{count} layer{'s' * (count > 1)}" for count in range(1, rounds))][:rounds]
    return dict(zip([*names, WHOLE], map(np.concatenate, found), strict=True))


def _refine(block: Molecules, options: ModelOptions, rounds: int) -> list[NDArray[np.uint64]]:
    pairs = get_model(options.name).tell_pairs(block, options) if rounds else torch.zeros_like(block.bonds)
    return refine(block.atoms.numpy(), pairs.numpy(), block.mask.numpy(), rounds)


def _rows(fields: list[Tensor]) -> NDArray[Any]:
    """Return the bytes of some fields of each molecule, `[M]`, as they are listed."""
    columns = [field.numpy().reshape(len(field), -1) for field in fields]
    joined = np.concatenate([np.ascontiguousarray(column).view(np.uint8) for column in columns], axis=1)
    return np.ascontiguousarray(joined).view(f"V{joined.shape[1]}").ravel()
