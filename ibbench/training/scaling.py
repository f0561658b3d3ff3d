"""Inputs and targets as the models see them: standardised with statistics of the train subset only."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.data.pack import count_elements
from ibbench.data.targets import ATOM_REFERENCES_HARTREE, Target
from ibbench.training.replicas import Replica

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet  # predicting needs none

ELEMENTS = tuple(sorted(ATOM_REFERENCES_HARTREE["u0"]))  # atomic numbers with atom references, hydrogen first


def atom_statistics(molecules: Molecules) -> tuple[Tensor, Tensor]:
    """Return mean and scale (standard deviation) of each atom feature over the atoms of molecules, float32 `[11]`.

    A feature that is constant among them gets scale 1, so that it becomes zero rather than infinite.
    """
    atoms = molecules.atoms[molecules.mask].float()
    mean = atoms.mean(0, dtype=torch.float64)
    variance = atoms.square().mean(0, dtype=torch.float64) - mean.square()
    scale = variance.clamp(min=0).sqrt()
    return mean.float(), torch.where(scale > 1e-6, scale, 1.0).float()


class TargetScaling(NamedTuple):
    """Maps between the values of each replica's target, in its unit, and the numbers that models predict.

    normalised = (transform(value - reference) - mean) / scale, in float64. The reference of a molecule is the sum of
    its free-atom energies for total energies and 0 otherwise; the transform is log(1 + value) for rotational
    constants and the identity otherwise. Mean and scale (standard deviation) are those of the replica's train subset.

    Attributes:
        mean: float64 `[R]`.
        scale: float64 `[R]`.
        logarithmic: bool `[R]`.
        reference_per_element: energy of a free atom of each element, in the unit of the source (hartree), float64
            `[R, E]`; the elements are `ELEMENTS` when fitted, and named in the file when read from one.
        factor: from the unit of the source to that of the target, float64 `[R]`.
    """

    mean: Tensor
    scale: Tensor
    logarithmic: Tensor
    reference_per_element: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, truth: "Truth", subsets: Tensor) -> "TargetScaling":
        """Take mean and scale from the train subset of each replica, `[R, n]` indices into the data set."""
        logarithmic = torch.tensor([target.logarithmic for target in truth.targets])
        transformed = _transform(truth.values(subsets) - truth.references(subsets), logarithmic)
        scale = transformed.std(1, correction=0)
        return cls(
            mean=transformed.mean(1),
            scale=torch.where(scale > 0, scale, 1.0),
            logarithmic=logarithmic,
            reference_per_element=torch.stack([_reference_per_element(target) for target in truth.targets]),
            factor=torch.tensor([target.factor for target in truth.targets], dtype=torch.float64),
        )

    def references(self, composition: Tensor) -> Tensor:
        """Return the reference of each molecule, float64 `[R, m]` in the target's unit.

        Args:
            composition: numbers of atoms of each element, float64 `[m, E]`.
        """
        return _sum_references(composition, self.reference_per_element, self.factor)

    def normalise(self, values: Tensor, references: Tensor) -> Tensor:
        """Return what the replicas should predict, float32 `[R, m]`, from values and references in the unit."""
        transformed = _transform(values - references, self.logarithmic)
        return ((transformed - self.mean[:, None]) / self.scale[:, None]).float()

    def restore(self, normalised: Tensor, references: Tensor) -> Tensor:
        """Map predictions `[R, m]` to the targets' units, float64 `[R, m]` on the CPU, given the references."""
        value = normalised.double().cpu() * self.scale[:, None] + self.mean[:, None]
        value = torch.where(self.logarithmic[:, None], value.expm1(), value)
        return value + references


class Truth:
    """The true targets of the molecules of a data set, a row per replica.

    Attributes:
        targets: the target of each replica, `R` of them.
    """

    def __init__(self, dataset: "DataSet", replicas: list[Replica]) -> None:
        columns = [dataset.column(replica.target) for replica in replicas]
        self.targets = [dataset.targets[column] for column in columns]
        self._values = dataset.values
        self._columns = torch.tensor(columns)
        distinct = list(dict.fromkeys(self.targets))  # the references of all molecules are kept once per target
        per_element = torch.stack([_reference_per_element(target) for target in distinct])
        factor = torch.tensor([target.factor for target in distinct], dtype=torch.float64)
        composition = count_elements(dataset.molecules, ELEMENTS, dataset.hydrogens)
        self._references = _sum_references(composition, per_element, factor)
        self._rows = torch.tensor([distinct.index(target) for target in self.targets])

    def values(self, index: Tensor) -> Tensor:
        """Return the targets in their units, float64 `[R, m]`, of the molecules `index`, `[m]` or `[R, m]`."""
        return self._values[index.expand(len(self.targets), -1), self._columns[:, None]]

    def references(self, index: Tensor) -> Tensor:
        """Return the references in the targets' units, float64 `[R, m]`, of the molecules `index`."""
        return self._references[self._rows[:, None], index.expand(len(self.targets), -1)]


def _transform(value: Tensor, logarithmic: Tensor) -> Tensor:
    return torch.where(logarithmic[:, None], value.clamp(min=0).log1p(), value)


def _reference_per_element(target: Target) -> Tensor:
    table = ATOM_REFERENCES_HARTREE.get(target.references, {})
    return torch.tensor([table.get(element, 0.0) for element in ELEMENTS], dtype=torch.float64)


def _sum_references(composition: Tensor, per_element: Tensor, factor: Tensor) -> Tensor:
    # Row by row, and scaled at the end: one product for all rows rounds otherwise, in the last digit of 11,000 eV.
    return torch.stack([composition @ row for row in per_element]) * factor[:, None]
