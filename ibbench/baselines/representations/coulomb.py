"""The repulsion between all pairs of nuclei: the sorted Coulomb matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import Limits, RepresentationBase, Shown

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet

BOHR = 0.529177210903  # angstrom (CODATA 2018)


class Representation(RepresentationBase):
    """The Coulomb matrix with its rows sorted by their norms (Rupp et al. 2012, Phys. Rev. Lett. 108, 058301)."""

    reads = "geometry"

    @classmethod
    def measure(cls, dataset: DataSet) -> Limits:
        """Return the largest number of atoms, hydrogens included."""
        counts, _ = dataset.composition()
        return {"atoms": int(counts.sum(1).max())}

    def find_too_large(self, shown: Shown) -> NDArray[np.bool_]:
        """Return which molecules have more atoms than any of the data set, bool `[n]`."""
        return np.asarray((shown.numbers > 0).sum(1) > self.limits["atoms"])

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the lower triangles of the matrices in atomic units, float32 `[n, N (N + 1) / 2]`."""
        size = self.limits["atoms"]
        more = max(0, size - shown.numbers.shape[1])
        numbers = np.pad(shown.numbers, ((0, 0), (0, more)))[:, :size]
        positions = np.pad(shown.positions, ((0, 0), (0, more), (0, 0)))[:, :size]
        matrices, places = repulsion(numbers, positions), np.arange(size)
        matrices[:, places, places] = 0.5 * numbers.astype(np.float64) ** 2.4
        order = np.argsort(-np.linalg.norm(matrices, axis=2), axis=1, kind="stable")
        matrices = np.take_along_axis(matrices, order[:, :, None], 1)
        matrices = np.take_along_axis(matrices, order[:, None, :], 2)
        return matrices[(slice(None), *np.tril_indices(size))].astype(np.float32)


def repulsion(numbers: NDArray[Any], positions: NDArray[Any]) -> NDArray[np.float64]:
    """Return Z_i Z_j / |R_i - R_j| in hartree for all pairs of atoms, float64 `[n, N, N]`; 0 on the diagonal.

    Args:
        numbers: atomic numbers Z, `[n, N]`; 0 where there is no atom.
        positions: coordinates R in angstrom, `[n, N, 3]`.
    """
    charges, places = numbers.astype(np.float64), positions.astype(np.float64) / BOHR
    distances = np.sqrt(((places[:, :, None] - places[:, None]) ** 2).sum(-1))
    pairs = charges[:, :, None] * charges[:, None]
    return np.divide(pairs, distances, out=np.zeros_like(pairs), where=(pairs > 0) & (distances > 0))
