"""The true targets of molecules, and how replicas are trained on them and measured: one class per kind of label."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.data.pack import count_elements
from ibbench.options.config import ReferenceOption
from ibbench.training.metrics import mean_error
from ibbench.training.optim import LOSSES
from ibbench.training.replicas import Replica
from ibbench.training.scaling import ELEMENTS, TargetScaling, reference_per_element_of, sum_references

Loss = Callable[..., Tensor]  # from predictions and labels `[R, B, ...]` to the loss of each molecule, `[R, B]`


class Truth:
    """The true targets of the molecules of a data set, one row per replica, and what follows from their kind.

    Labels of this class are one number per molecule. A subclass for labels that are an array per molecule gives values
    and normalised labels of further dimensions, `[R, m, ...]`, with a loss and an error of their own: see
    `ibbench.training.kinds`.

    Args:
        dataset: the M molecules and their targets.
        replicas: the R replicas, which may have different targets.

    Attributes:
        targets: the target of each of the R replicas.
        is_class: whether it is a class, bool `[R]`.
        elements: atomic numbers of all elements of the data set, and of those with atom references.
        composition: numbers of atoms of these elements in each molecule of the data set, float64 `[M, E]`.
    """

    def __init__(self, dataset: DataSet, replicas: list[Replica]) -> None:
        columns = [dataset.column(replica.target) for replica in replicas]
        self.targets = [dataset.targets[column] for column in columns]
        self.is_class = torch.tensor([target.is_class for target in self.targets])
        self._values = dataset.values
        self._columns = torch.tensor(columns)
        distinct = list(dict.fromkeys(self.targets))  # the references of all molecules are kept once per target
        present = dataset.molecules.atoms[..., ATOMIC_NUMBER].unique().tolist()
        self.elements = tuple(sorted({*ELEMENTS, *map(int, present)} - {0}))
        self.composition = count_elements(dataset.molecules, self.elements, dataset.hydrogens)
        per_element = torch.stack([reference_per_element_of(target, self.elements) for target in distinct])
        factor = torch.tensor([target.factor for target in distinct], dtype=torch.float64)
        self._references = sum_references(self.composition, per_element, factor)
        self._rows = torch.tensor([distinct.index(target) for target in self.targets])

    @property
    def num_molecules(self) -> int:
        """M, the number of molecules of the data set."""
        return len(self._values)

    def values(self, index: Tensor) -> Tensor:
        """Return the targets in their units, float64 `[R, m]`, of the molecules `index`, `[m]` or `[R, m]`."""
        return self._values[index.expand(len(self.targets), -1), self._columns[:, None]]

    def references(self, index: Tensor) -> Tensor:
        """Return the references in the targets' units, float64 `[R, m]`, of the molecules `index`."""
        return self._references[self._rows[:, None], index.expand(len(self.targets), -1)]

    def fit(self, subsets: Tensor, reference: ReferenceOption, given: Tensor, *, centre: bool = True) -> TargetScaling:
        """Fit the scaling of labels to those that the train molecules are given: see `TargetScaling.fit`."""
        return TargetScaling.fit(self, subsets, reference, given, centre=centre)

    def normalise(self, scaling: TargetScaling, given: Tensor, index: Tensor) -> Tensor:
        """Return the labels to train on, float32 `[R, m]`: normalised values, and classes as 0 and 1.

        Args:
            scaling: what `fit` returned.
            given: labels in the targets' units, float64 `[R, m]`.
            index: the molecules that have them, int64 `[R, m]`.
        """
        explained = scaling.explained(self.composition, index)
        labels = scaling.normalise(given, self.references(index), explained)
        return torch.where(self.is_class[:, None], given.float(), labels) if self.is_class.any() else labels

    def restore(self, scaling: TargetScaling, normalised: Tensor, index: Tensor) -> Tensor:
        """Map outputs of the models to the targets' units, and of classes to logits, float64 `[R, m]` on the CPU.

        Args:
            scaling: what `fit` returned.
            normalised: outputs of the models, `[R, m]`.
            index: the predicted molecules, int64 `[m]` or `[R, m]`.
        """
        return scaling.restore(normalised, self.references(index), scaling.explained(self.composition, index))

    def loss(self, name: str, scaling: TargetScaling, labels: Tensor) -> Loss:
        """Return the loss that replicas are trained with, from predictions and labels `[R, B]` to losses `[R, B]`.

        Of numbers it is a loss of `LOSSES`, on normalised targets. Of classes it is the cross-entropy in nats.

        Args:
            name: name of the loss of numbers.
            scaling: what `fit` returned.
            labels: all labels to train on, on the training device.
        """
        of_numbers = LOSSES[name]
        if not self.is_class.any():
            return of_numbers
        is_class, offset = (part.to(labels.device)[:, None] for part in (self.is_class, scaling.mean.float()))

        def mixed(prediction: Tensor, labels: Tensor, reduction: str) -> Tensor:
            entropy = functional.binary_cross_entropy_with_logits(prediction + offset, labels, reduction=reduction)
            return torch.where(is_class, entropy, of_numbers(prediction, labels, reduction=reduction))

        return mixed

    def relabel(self, labels: Tensor, _order: Tensor) -> Tensor:
        """Return the labels of molecules whose atoms come in another order (see `Molecules.relabel`): the same."""
        return labels

    def mean_error(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Return the error of each replica that decides which weights are kept, float64 `[R]`: see `mean_error`.

        Args:
            prediction: what `restore` returns, float64 `[R, m]`.
            truth: true values of the same molecules, as `values` returns them.
        """
        return mean_error(prediction, truth, self.is_class)
