"""Mean and scale of each feature of an atom, by which inputs are standardised."""

import torch
from torch import Tensor

from ibbench.data.layout import layout_of
from ibbench.data.molecules import Molecules

_LEAST_SCALE = 0.1  # of a feature for organic chemistry
_CHUNK = 1 << 20  # atoms whose features are summed at a time, so that memory does not grow with the data set


def atom_statistics(molecules: Molecules) -> tuple[Tensor, Tensor]:
    """Return mean and scale (standard deviation) of each atom feature over the atoms of molecules, float32 `[F]`.

    A feature that is constant among them gets scale 1, so that it becomes zero rather than infinite. Of the features
    for organic chemistry, many are rare: where their scale would be below 0.1, it is 0.1, so that the only atom of an
    element is not an input of several hundred.
    """
    atoms = molecules.atoms[molecules.mask]
    total, squares = torch.zeros(2, atoms.shape[1], dtype=torch.float64)
    for chunk in atoms.split(_CHUNK):  # features are counts, whose sums are exact in whatever order
        exact = chunk.double()
        total += exact.sum(0)
        squares += exact.square().sum(0)
    mean = total / len(atoms)
    variance = squares / len(atoms) - mean.square()
    scale = variance.clamp(min=0).sqrt()
    scale = torch.where(scale > 1e-6, scale, 1.0)
    if layout_of(molecules.padding.num_features) != "qm9":
        scale = scale.clamp(min=_LEAST_SCALE)
    return mean.float(), scale.float()
