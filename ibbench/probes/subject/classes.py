"""Classes of molecules that a model cannot tell apart, whatever its weights, by what it declares about itself."""

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
from ibbench.options.data import DataOptions
from ibbench.options.model import ModelOptions

_BLOCK = 16384  # molecules that are refined at a time
WHOLE, ATOMS = "", "atoms"  # names of parts: all that the model sees, and the atoms before the first layer


class Floor(NamedTuple):
    """The least error of any function of the class of a molecule, in the unit of the values.

    Attributes:
        mae: exact least MAE on the given molecules.
        new: estimate of the least MAE on new molecules of these classes.
        num_classes: number of classes.
        shared: share of molecules, from 0 to 1, that are not alone in their class.
    """

    mae: float
    new: float
    num_classes: int
    shared: float


def floor_of(classes: NDArray[Any], values: NDArray[np.float64]) -> Floor:
    """Return the least error that a function of the class of a molecule can have.

    Such a function predicts one constant per class, and the median of the class is the constant with the least mean
    absolute deviation. The deviation of n molecules around their own median is too small for further molecules of the
    class, so `new` multiplies it by n / (n - 1): for two molecules that is the difference of their values. A molecule
    alone in its class has a deviation of 0, though further molecules of the class may exist, so both errors are lower
    bounds.

    Args:
        classes: class of each molecule, `[M]`.
        values: target value of each molecule, `[M]`.
    """
    _, place, count = np.unique(classes, return_inverse=True, return_counts=True)
    ordered = values[np.lexsort((values, place))]
    start = np.cumsum(count) - count
    median = (ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2
    of_molecule = count[place]
    deviation = np.abs(values - median[place])
    new = deviation * of_molecule / np.maximum(of_molecule - 1, 1)
    return Floor(float(deviation.mean()), float(new.mean()), len(count), float((of_molecule > 1).mean()))


def divide_by_composition(classes: NDArray[Any], dataset: DataSet) -> NDArray[np.int64]:
    """Return finer classes, `[M]`: molecules of one class stay together if all their atoms are the same.

    A prediction to which a function of the composition is added can tell as much (see `ibbench.training.reference`).
    """
    _, one = np.unique(classes, return_inverse=True)
    _, other = np.unique(dataset.composition()[0].numpy(), axis=0, return_inverse=True)
    return one.ravel() * (other.max() + 1) + other.ravel()


def classes_of(dataset: DataSet, data: DataOptions, options: ModelOptions) -> dict[str, NDArray[Any]]:
    """Return the class of each molecule, `[M]`, before and after each layer; `WHOLE` is the key of the last layer.

    A model may tell fewer molecules apart than these classes do: an average forgets numbers that a sum keeps, and a
    window that moves along a string does not see the whole string.

    Args:
        dataset: the molecules.
        data: the options that change molecules before the model reads them.
        options: the options of the model.
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
    """Return the joined bytes of some fields of each molecule, `[M]`, so that equal molecules have equal bytes."""
    columns = [field.numpy().reshape(len(field), -1) for field in fields]
    joined = np.concatenate([np.ascontiguousarray(column).view(np.uint8) for column in columns], axis=1)
    return np.ascontiguousarray(joined).view(f"V{joined.shape[1]}").ravel()
