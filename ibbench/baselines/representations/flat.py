"""The flattened molecule: all numbers that the MLP reads, in the order of the data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import Limits, RepresentationBase, Shown
from ibbench.data.layout import NO_BOND, NUM_BOND_TYPES

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet


class Representation(RepresentationBase):
    """The features of all atoms, one atom after another, and the type of the bond between each two of them, one-hot.

    The order of the atoms is that of the data set, so that the same molecule in another order has another vector.
    """

    reads = "graph"

    @classmethod
    def measure(cls, dataset: DataSet) -> Limits:
        """Return the largest number of atoms, and which features they have."""
        return {
            "atoms": dataset.molecules.padding.num_atoms,
            "layout": dataset.layout,
            "hydrogens": dataset.hydrogens,
        }

    def find_too_large(self, shown: Shown) -> NDArray[np.bool_]:
        """Return which molecules have more atoms than any of the data set, bool `[n]`."""
        return np.asarray(shown.atoms[:, self.limits["atoms"] :].any((1, 2)))

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the features and the bonds, uint8 `[n, N F + 4 N (N - 1) / 2]`."""
        size = self.limits["atoms"]
        more = max(0, size - shown.atoms.shape[1])
        atoms = np.pad(shown.atoms, ((0, 0), (0, more), (0, 0)))[:, :size]
        bonds = np.pad(shown.bonds, ((0, 0), (0, more), (0, more)))[:, :size, :size]
        first, second = np.triu_indices(size, 1)
        kinds = np.arange(NUM_BOND_TYPES) + NO_BOND + 1
        pairs = bonds[:, first, second, None] == kinds
        rows = len(atoms)
        return np.concatenate([atoms.reshape(rows, -1), pairs.reshape(rows, -1)], axis=1).astype(np.uint8)
