"""The repulsion between nuclei, gathered by the two elements: bag of bonds."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import RepresentationBase, Shown
from ibbench.baselines.representations.coulomb import repulsion

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet


class Representation(RepresentationBase):
    """Bag of bonds (Hansen et al. 2015, J. Phys. Chem. Lett. 6, 2326): a bag for each pair of elements, and one for
    each element, each sorted in descending order and as long as any molecule of the data set needs.
    """

    reads = "geometry"

    def __init__(self, dataset: DataSet) -> None:
        super().__init__(dataset)
        counts, self._elements = dataset.composition()
        of_element = counts.numpy().astype(np.int64).T
        self._atoms = of_element.max(1)
        self._bags = [
            (a, b, int((of_element[a] * (of_element[a] - 1) // 2 if a == b else of_element[a] * of_element[b]).max()))
            for a, b in itertools.combinations_with_replacement(range(len(self._elements)), 2)
        ]

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the bags one after another in atomic units, float32 `[n, p]`."""
        own = 0.5 * shown.numbers.astype(np.float64) ** 2.4
        upper = np.triu(np.ones((own.shape[1], own.shape[1]), dtype=bool), 1)
        terms = np.where(upper, repulsion(shown.numbers, shown.positions), 0)
        is_of = [shown.numbers == element for element in self._elements]
        bags = [_sorted(np.where(is_of[one], own, 0), size) for one, size in enumerate(self._atoms)]
        for a, b, size in self._bags:
            both = is_of[a][:, :, None] & is_of[b][:, None]
            both |= is_of[b][:, :, None] & is_of[a][:, None]
            bags.append(_sorted(np.where(both, terms, 0).reshape(len(own), -1), size))
        return np.concatenate(bags, axis=1).astype(np.float32)


def _sorted(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the `size` largest values of each row, in descending order."""
    return -np.sort(-values, axis=1)[:, :size]
