"""Principal component analysis of flat molecules: the best linear code of d numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ibbench.baselines import Baseline

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet
    from ibbench.data.molecules import Molecules

_AT_ONCE = 4096  # molecules whose flat vectors are in memory at a time


class Components(NamedTuple):
    """The principal components of the flat vectors of n molecules.

    Attributes:
        mean: the mean vector, float64 `[V]`.
        directions: the d directions of most variance, orthonormal, the first one first, float64 `[d, V]`.
        atom_mean: the mean of each feature over atoms, which is subtracted from them, float32 `[F]`.
    """

    mean: Tensor
    directions: Tensor
    atom_mean: Tensor

    def vectors(self, molecules: Molecules) -> Tensor:
        """Return the flat vectors of molecules whose features are counts, float64 `[m, V]`."""
        return _vectors(molecules, self.atom_mean)

    def codes(self, molecules: Molecules) -> Tensor:
        """Return the code of each molecule, its coordinates along the directions, float64 `[m, d]`."""
        return (self.vectors(molecules) - self.mean) @ self.directions.T

    def errors(self, molecules: Molecules) -> Tensor:
        """Return the squared distance of each molecule from its reconstruction, float64 `[m]`."""
        centred = self.vectors(molecules) - self.mean
        return (centred - centred @ self.directions.T @ self.directions).square().sum(1)


def find_components(molecules: Molecules, number: int) -> Components:
    """Return the principal components of molecules whose features are counts (Pearson 1901).

    Args:
        molecules: the n molecules, `[n, ...]`.
        number: d, at most V; more components than there are entries are as many as there are entries.
    """
    import torch

    from ibbench.data.statistics import atom_statistics

    atom_mean, _ = atom_statistics(molecules)
    vectors = _vectors(molecules, atom_mean)
    mean = vectors.mean(0)
    centred = vectors - mean
    _, directions = torch.linalg.eigh(centred.T @ centred)  # the last columns have the most variance
    return Components(mean, directions.T.flip(0)[:number], atom_mean)


def _vectors(molecules: Molecules, atom_mean: Tensor) -> Tensor:
    from ibbench.models.layers.flat import flatten

    return flatten(molecules._replace(atoms=molecules.atoms - atom_mean)).double()


class Pca(Baseline):
    """Restores flat molecules from their first principal components; `get_reconstruction` makes a class for a number.

    It predicts the squared distance of a molecule from its reconstruction, as the `autoencoder` does. With 0 components
    every molecule is restored as the mean of the train molecules.
    """

    name: ClassVar[str]
    num_components: ClassVar[int]
    reconstructs = "molecule"

    def __init__(self, dataset: DataSet) -> None:
        super().__init__(dataset)
        self._size = 0

    @property
    def num_parameters(self) -> int:
        """The numbers in the mean and in the directions of the last fit; 0 before any."""
        return self._size

    def fit(self, target: str, subset: Tensor) -> Callable[[Tensor], Tensor]:  # noqa: ARG002 (there is only one)
        """Find the components of the molecules of `subset`; see `Baseline.fit`."""
        import torch

        molecules = self.dataset.molecules
        found = find_components(molecules.select(subset), self.num_components)
        self._size = found.mean.numel() + found.directions.numel()

        def predict(index: Tensor) -> Tensor:
            chunks = index.split(_AT_ONCE)
            return torch.cat([found.errors(molecules.select(chunk)) for chunk in chunks])

        return predict
