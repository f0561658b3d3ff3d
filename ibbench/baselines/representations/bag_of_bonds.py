"""The repulsion between nuclei, gathered by the two elements: bag of bonds."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import Limits, RepresentationBase, Shown
from ibbench.baselines.representations.coulomb import repulsion

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet


class Representation(RepresentationBase):
    """Bag of bonds (Hansen et al. 2015, J. Phys. Chem. Lett. 6, 2326): a bag for each pair of elements, and one for
    each element, each sorted in descending order and as long as any molecule of the data set needs.
    """

    reads = "geometry"

    @classmethod
    def measure(cls, dataset: DataSet) -> Limits:
        """Return the elements, and the most atoms and pairs that any molecule has in each bag."""
        counts, elements = dataset.composition()
        of_element = counts.numpy().astype(np.int64).T
        return {
            "elements": elements,
            "atoms": of_element.max(1).tolist(),
            "pairs": [int(pairs.max()) for pairs in _count_pairs(of_element)],
        }

    def find_too_large(self, shown: Shown) -> NDArray[np.bool_]:
        """Return which molecules have an element without a bag, or more of something than fits in its bag."""
        of_element = np.array([(shown.numbers == element).sum(1) for element in self.limits["elements"]])
        foreign = (shown.numbers > 0).sum(1) > of_element.sum(0)
        many = (of_element > np.array(self.limits["atoms"])[:, None]).any(0)
        pairs = np.array(_count_pairs(of_element)) > np.array(self.limits["pairs"])[:, None]
        return np.asarray(foreign | many | pairs.any(0))

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the bags one after another in atomic units, float32 `[n, p]`."""
        own = 0.5 * shown.numbers.astype(np.float64) ** 2.4
        upper = np.triu(np.ones((own.shape[1], own.shape[1]), dtype=bool), 1)
        terms = np.where(upper, repulsion(shown.numbers, shown.positions), 0)
        is_of = [shown.numbers == element for element in self.limits["elements"]]
        bags = [_sorted(np.where(is_of[one], own, 0), size) for one, size in enumerate(self.limits["atoms"])]
        for (a, b), size in zip(_pairs(len(is_of)), self.limits["pairs"], strict=True):
            both = is_of[a][:, :, None] & is_of[b][:, None]
            both |= is_of[b][:, :, None] & is_of[a][:, None]
            bags.append(_sorted(np.where(both, terms, 0).reshape(len(own), -1), size))
        return np.concatenate(bags, axis=1).astype(np.float32)


def _sorted(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the `size` largest values of each row, in descending order, and zeros where there are fewer."""
    ordered = -np.sort(-values, axis=1)[:, :size]
    return np.pad(ordered, ((0, 0), (0, size - ordered.shape[1])))


def _pairs(count: int) -> list[tuple[int, int]]:
    return list(itertools.combinations_with_replacement(range(count), 2))


def _count_pairs(of_element: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return how many pairs of atoms each molecule has in each bag, from its numbers of atoms `[E, n]`."""
    return [
        of_element[a] * (of_element[a] - 1) // 2 if a == b else of_element[a] * of_element[b]
        for a, b in _pairs(len(of_element))
    ]
