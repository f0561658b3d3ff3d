"""Inputs and targets as the models see them: standardised with statistics of the train subset only."""

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.targets import ATOM_REFERENCES_HARTREE, HARTREE_IN_EV
from ibbench.training.replicas import Replica


def atom_statistics(dataset: DataSet, subset: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and scale (standard deviation) of each atom feature over the atoms of `subset`, float32 `[11]`.

    A feature that is constant in the subset gets scale 1, so that it becomes zero rather than infinite.
    """
    molecules = dataset.molecules.select(subset)
    atoms = molecules.atoms[molecules.mask].float()
    mean = atoms.mean(0, dtype=torch.float64)
    variance = atoms.square().mean(0, dtype=torch.float64) - mean.square()
    scale = variance.clamp(min=0).sqrt()
    return mean.float(), torch.where(scale > 1e-6, scale, 1.0).float()


class TargetScaling:
    """Maps between the values of each replica's target, in its unit, and the numbers that models predict.

    normalised = (transform(value - references) - mean) / scale, in float64. The references are free-atom
    energies for total energies and 0 otherwise; the transform is log(1 + value) for rotational constants and
    the identity otherwise. Mean and scale (standard deviation) are those of the replica's train subset.
    """

    def __init__(self, dataset: DataSet, replicas: list[Replica], subsets: Tensor) -> None:
        columns = [dataset.column(replica.target) for replica in replicas]
        self._columns = torch.tensor(columns)
        self._values = dataset.values
        self._logarithmic = torch.tensor([dataset.targets[column].logarithmic for column in columns])[:, None]
        references = {
            name: _references(dataset, dataset.targets[dataset.column(name)].references) for name, _ in replicas
        }
        self._names = list(references)
        self._references = torch.stack([references[name] for name in self._names])
        self._rows = torch.tensor([self._names.index(name) for name, _ in replicas])
        transformed = self._transform(subsets)
        self._mean = transformed.mean(1, keepdim=True)
        scale = transformed.std(1, correction=0, keepdim=True)
        self._scale = torch.where(scale > 0, scale, 1.0)

    def values(self, index: Tensor) -> Tensor:
        """Return the targets in their units, float64 `[R, m]`, of the molecules `index`, `[m]` or `[R, m]`."""
        return self._values[index.expand(len(self._columns), -1), self._columns[:, None]]

    def normalise(self, index: Tensor) -> Tensor:
        """Return what the replicas should predict for `index`, float32 `[R, m]`."""
        return ((self._transform(index) - self._mean) / self._scale).float()

    def restore(self, predictions: Tensor, index: Tensor) -> Tensor:
        """Map predictions `[R, m]` for the molecules `index` to the targets' units, float64 `[R, m]`."""
        value = predictions.double().cpu() * self._scale + self._mean
        value = torch.where(self._logarithmic, value.expm1(), value)
        return value + self._reference(index)

    def _reference(self, index: Tensor) -> Tensor:
        return self._references[self._rows[:, None], index.expand(len(self._rows), -1)]

    def _transform(self, index: Tensor) -> Tensor:
        value = self.values(index) - self._reference(index)
        return torch.where(self._logarithmic, value.clamp(min=0).log1p(), value)


def _references(dataset: DataSet, potential: str) -> Tensor:
    """Sum the free-atom energies of each molecule in eV, float64 `[M]`; zero where there is no reference."""
    if not potential:
        return torch.zeros(len(dataset), dtype=torch.float64)
    counts, elements = dataset.composition()
    table = ATOM_REFERENCES_HARTREE[potential]
    energies = torch.tensor([table[element] for element in elements], dtype=torch.float64)
    return counts @ energies * HARTREE_IN_EV
