"""Targets of atoms: labels are `[R, m, N]`, NaN where there is no atom, which then counts nowhere.

What an atom's element alone tells is subtracted before training, as the regression on the numbers of atoms is of a
molecule's target: the counts of elements in an atom are one 1 and zeros, so that slopes are the means of elements.
"""

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.options.config import ReferenceOption
from ibbench.training.atom_scaling import explain_atoms, place_elements, restore_atoms
from ibbench.training.optim import LOSSES
from ibbench.training.reference import fit_slopes
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling
from ibbench.training.truth import Loss, Truth


class AtomTruth(Truth):
    """The true values of the atoms of molecules, one row per replica; arguments and attributes are those of `Truth`."""

    def __init__(self, dataset: DataSet, replicas: list[Replica]) -> None:
        super().__init__(dataset, replicas)
        distinct = list(dict.fromkeys(target.name for target in self.targets))
        self._of_atoms = torch.stack([dataset.labels(name) for name in distinct])
        self._which = torch.tensor([distinct.index(target.name) for target in self.targets])
        self._elements = place_elements(dataset.molecules.atoms, self.elements)

    def values(self, index: Tensor) -> Tensor:
        """Return the values of all atoms, float64 `[R, m, N]`, of the molecules `index`, `[m]` or `[R, m]`."""
        return self._of_atoms[self._which[:, None], index.expand(len(self.targets), -1)]

    def fit(self, subsets: Tensor, reference: ReferenceOption, given: Tensor, *, centre: bool = True) -> TargetScaling:
        """Take the means of elements, and mean and scale of what is left, over the atoms of the train molecules."""
        count = len(self.elements)
        slopes, means, scales = [], [], []
        for subset, values in zip(subsets, given, strict=True):
            real = ~values.isnan()
            elements = torch.nn.functional.one_hot(self._elements[subset][real], count).double()
            slopes.append(fit_slopes(elements, values[real], reference))
            left = values[real] - (elements * slopes[-1]).sum(1)
            means.append(left.mean() if centre else torch.zeros_like(left.mean()))
            scale = left.std(correction=0)
            scales.append(torch.where(scale > 0, scale, 1.0))
        nothing = torch.zeros(len(subsets), dtype=torch.float64)
        return TargetScaling(
            mean=torch.stack(means),
            scale=torch.stack(scales),
            slope_per_element=torch.stack(slopes),
            logarithmic=nothing.bool(),
            reference_per_element=nothing[:, None].expand(-1, count).clone(),
            factor=nothing + 1,
            log_offset=nothing,
        )

    def normalise(self, scaling: TargetScaling, given: Tensor, index: Tensor) -> Tensor:
        """Return the labels to train on, float32 `[R, m, N]`, from those in the targets' units, float64."""
        explained = explain_atoms(scaling, self._elements[index])
        return ((given - explained) / scaling.scale[:, None, None]).float()

    def restore(self, scaling: TargetScaling, normalised: Tensor, index: Tensor) -> Tensor:
        """Map outputs of the models `[R, m, N]` to the targets' units, float64 on the CPU."""
        return restore_atoms(scaling, normalised, self._elements[index])

    def loss(self, name: str, _scaling: TargetScaling, labels: Tensor) -> Loss:
        """Return the loss: of a molecule, the sum over its atoms divided by the mean number of atoms of a molecule.

        So each atom has the same weight, in whichever batch it is. Arguments are those of `Truth.loss`; predictions
        and labels are `[R, B, N]`.
        """
        of_atoms = LOSSES[name]
        per_molecule = (~labels.isnan()).sum(-1).float().mean(1)[:, None]

        def summed(prediction: Tensor, labels: Tensor, reduction: str) -> Tensor:
            missing = labels.isnan()
            errors = of_atoms(prediction, labels.masked_fill(missing, 0), reduction=reduction)
            return errors.masked_fill(missing, 0).sum(-1) / per_molecule

        return summed

    def relabel(self, labels: Tensor, order: Tensor) -> Tensor:
        """Return the labels `[R, B, N]` of molecules whose atoms come in another order, int64 `[R, B, N]`."""
        return labels.gather(-1, order)

    def mean_error(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Return the MAE over all atoms of the molecules, float64 `[R]`, from values `[R, m, N]`."""
        return super().mean_error(prediction.flatten(1), truth.flatten(1))
