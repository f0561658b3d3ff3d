"""Inputs and targets as the models see them: standardised with statistics of the train subset only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ibbench.data.targets import ATOM_REFERENCES_HARTREE, Target
from ibbench.options.config import ReferenceOption
from ibbench.training.reference import fit_slopes

if TYPE_CHECKING:
    from ibbench.training.truth import Truth  # not imported when predicting

ELEMENTS = tuple(sorted(ATOM_REFERENCES_HARTREE["u0"]))  # atomic numbers of the elements with atom references


class TargetScaling(NamedTuple):
    """Maps between the values of each replica's target, in its unit, and the numbers that models predict.

    normalised = (transform(value - reference) - mean - slopes . composition) / scale, in float64. The reference of a
    molecule is the sum of its free-atom energies for total energies and 0 otherwise; the transform is log(1 + value)
    for rotational constants, log(value) where `data.transform` says log, and the identity otherwise. Slopes, mean and
    scale (standard deviation of what is left) are those of the replica's train subset; see
    `ibbench.training.reference` for when the slopes are not zero.

    Of a class there is nothing to normalise: models predict the logit of class 1, less that of its frequency among the
    train molecules. So `mean` is that logit, slopes are 0 and the scale is 1; `restore` returns logits.

    Attributes:
        mean: the mean of the formula, float64 `[R]`.
        scale: the scale of the formula, float64 `[R]`.
        slope_per_element: what one more atom of each element adds to the transformed value, float64 `[R, E]`.
        logarithmic: whether the transform is log(log_offset + value), bool `[R]`.
        reference_per_element: the energy of a free atom of each element, in the unit of the source (hartree), float64
            `[R, E]`; the elements are those of `Truth` when fitted, and those named in the file when read from one.
        factor: the value of one unit of the source in the unit of the target, float64 `[R]`.
        log_offset: what is added before the logarithm, 0 or 1, float64 `[R]`.
    """

    mean: Tensor
    scale: Tensor
    slope_per_element: Tensor
    logarithmic: Tensor
    reference_per_element: Tensor
    factor: Tensor
    log_offset: Tensor

    @classmethod
    def fit(
        cls,
        truth: "Truth",
        subsets: Tensor,
        reference: ReferenceOption,
        given: Tensor | None = None,
        *,
        centre: bool = True,
    ) -> "TargetScaling":
        """Take slopes, mean and scale from the train subset of each replica.

        Args:
            truth: the true targets of all molecules.
            subsets: the indices of the train molecules of each replica, int64 `[R, n]`.
            reference: the option that says which targets have slopes, see `fit_slopes`.
            given: the labels of these molecules in the targets' units, float64 `[R, n]`; None for their true targets.
            centre: whether to subtract the mean; if not, the mean of the scaling is 0.
        """
        values = truth.values(subsets) if given is None else given
        logarithmic = torch.tensor([target.logarithmic for target in truth.targets])
        log_offset = torch.tensor([target.log_offset for target in truth.targets], dtype=torch.float64)
        transformed = _transform(values - truth.references(subsets), logarithmic, log_offset)
        slopes = torch.stack(
            [
                fit_slopes(truth.composition[subset], row, "none" if target.is_class else reference)
                for subset, row, target in zip(subsets, transformed, truth.targets, strict=True)
            ]
        )
        left = transformed - _sum_slopes(truth.composition, slopes, subsets)
        scale = left.std(1, correction=0)
        scale = torch.where((scale > 0) & ~truth.is_class, scale, 1.0)
        return cls(
            mean=torch.where(truth.is_class, left.mean(1).logit(), left.mean(1)) if centre else torch.zeros_like(scale),
            scale=scale,
            slope_per_element=slopes,
            logarithmic=logarithmic,
            reference_per_element=torch.stack(
                [reference_per_element_of(target, truth.elements) for target in truth.targets]
            ),
            factor=torch.tensor([target.factor for target in truth.targets], dtype=torch.float64),
            log_offset=log_offset,
        )

    def references(self, composition: Tensor) -> Tensor:
        """Return the reference of each molecule, float64 `[R, m]` in the target's unit.

        Args:
            composition: numbers of atoms of each element, float64 `[m, E]`.
        """
        return sum_references(composition, self.reference_per_element, self.factor)

    def explained(self, composition: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the part of the transformed value that the composition explains, mean + slopes, float64 `[R, m]`.

        Args:
            composition: numbers of atoms of each element in M molecules, float64 `[M, E]`.
            index: the molecules among these to return, int64 `[m]`, or `[R, m]` for other ones per replica; None for
                all.
        """
        return self.mean[:, None] + _sum_slopes(composition, self.slope_per_element, index)

    def normalise(self, values: Tensor, references: Tensor, explained: Tensor) -> Tensor:
        """Return the normalised values that the replicas should predict, float32 `[R, m]`; not meant for classes.

        Args:
            values: the targets in their units, float64 `[R, m]`.
            references: the references of the molecules in the same units, float64 `[R, m]`.
            explained: what `explained` returns for the molecules, float64 `[R, m]`.
        """
        transformed = _transform(values - references, self.logarithmic, self.log_offset)
        return ((transformed - explained) / self.scale[:, None]).float()

    def restore(self, normalised: Tensor, references: Tensor, explained: Tensor) -> Tensor:
        """Map predictions `[R, m]` to the targets' units, and of classes to logits, float64 `[R, m]` on the CPU.

        Args:
            normalised: predictions of the models, `[R, m]`.
            references: the references of the molecules in the targets' units, float64 `[R, m]`.
            explained: what `explained` returns for the molecules, float64 `[R, m]`.
        """
        value = normalised.double().cpu() * self.scale[:, None] + explained
        power = torch.where(self.log_offset[:, None] > 0, value.expm1(), value.exp())
        value = torch.where(self.logarithmic[:, None], power, value)
        return value + references


def _transform(value: Tensor, logarithmic: Tensor, log_offset: Tensor) -> Tensor:
    # Values are above 0 where nothing is added: others were refused when the data were loaded.
    logarithm = torch.where(log_offset[:, None] > 0, value.clamp(min=0).log1p(), value.log())
    return torch.where(logarithmic[:, None], logarithm, value)


def _sum_slopes(composition: Tensor, slopes: Tensor, index: Tensor | None) -> Tensor:
    # A product and a sum, since the last digit of a matrix product can depend on the other rows of the matrix.
    parts = []
    for row, slope in enumerate(slopes):
        counts = composition if index is None else composition[index if index.dim() == 1 else index[row]]
        parts.append((counts * slope).sum(1))
    return torch.stack(parts)


def reference_per_element_of(target: Target, elements: Sequence[int]) -> Tensor:
    """Return the energy of a free atom of each element, float64 `[E]` in hartree; 0 for targets without references."""
    table = ATOM_REFERENCES_HARTREE.get(target.references, {})
    return torch.tensor([table.get(element, 0.0) for element in elements], dtype=torch.float64)


def sum_references(composition: Tensor, per_element: Tensor, factor: Tensor) -> Tensor:
    """Return the reference of each of m molecules, float64 `[R, m]`, from atom counts `[m, E]` and rows `[R, E]`."""
    # One product per row, scaled at the end: one for all rows would round differently, in the last digit of 11,000 eV.
    return torch.stack([composition @ row for row in per_element]) * factor[:, None]
