"""The scaling of targets of atoms: an atom's element takes the place of a molecule's composition."""

import torch
from torch import Tensor

from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.training.scaling import TargetScaling


def place_elements(atoms: Tensor, elements: tuple[int, ...]) -> Tensor:
    """Return the place of each atom's element among `elements`, int64 `[m, N]`; E, their number, for any other.

    Args:
        atoms: features of the atoms as counts, `[m, N, F]`.
        elements: E atomic numbers in ascending order.
    """
    known, numbers = torch.tensor(elements), atoms[..., ATOMIC_NUMBER].long().contiguous()
    place = torch.searchsorted(known, numbers).clamp(max=len(elements) - 1)
    return torch.where(known[place] == numbers, place, len(elements))


def explain_atoms(scaling: TargetScaling, elements: Tensor) -> Tensor:
    """Return what the element of each atom tells, mean + slope, float64 `[R, m, N]`.

    Args:
        scaling: the scaling of R replicas.
        elements: what `place_elements` returns, `[m, N]` or `[R, m, N]`.
    """
    slopes = torch.nn.functional.pad(scaling.slope_per_element, (0, 1))  # of an element that is not known: 0
    elements = elements.expand(len(slopes), *elements.shape[-2:])
    of_atoms = slopes.gather(1, elements.flatten(1)).view(elements.shape)
    return scaling.mean[:, None, None] + of_atoms


def restore_atoms(scaling: TargetScaling, normalised: Tensor, elements: Tensor) -> Tensor:
    """Map outputs of replicas `[R, m, N]` to the targets' units, float64 on the CPU; arguments as `explain_atoms`."""
    return normalised.double().cpu() * scaling.scale[:, None, None] + explain_atoms(scaling, elements)


def fit_places(values: Tensor, count: int) -> Tensor:
    """Return values of atoms `[R, m, N]` with another number of places N; those that are added are NaN."""
    return torch.nn.functional.pad(values, (0, count - values.shape[-1]), value=torch.nan)
