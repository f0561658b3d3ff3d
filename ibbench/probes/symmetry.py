"""Symmetry error: how far predictions move when molecules are transformed in a way that should not matter."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.models.registry import Symmetry

SHIFT = 5.0  # angstrom; standard deviation of each coordinate of a translation
MOST_TOKENS = 8  # that a string is moved by


class SymmetryError(NamedTuple):
    """What a transformation does to predictions, in the unit of the predictions.

    Attributes:
        largest: largest absolute change of a prediction.
        change: root mean square of the changes, over the molecules.
        spread: standard deviation of the untransformed predictions, over the molecules.
    """

    largest: float
    change: float
    spread: float

    @property
    def relative(self) -> float:
        """`change` over `spread`: 0 for an exact symmetry, sqrt(2) for predictions that are drawn anew."""
        if not self.change:
            return 0.0  # also of a constant, whose predictions have no spread
        return self.change / self.spread if self.spread else math.inf


@torch.no_grad()
def symmetry_error(
    model: Callable[[Molecules], Tensor], molecules: Molecules, symmetry: Symmetry, seed: int
) -> SymmetryError:
    """Compare the predictions of molecules with those of the same molecules, transformed at random.

    Args:
        model: a function from molecules to predictions `[B]`; in evaluation mode where it has one.
        molecules: `[B, ...]`, with all that the symmetry transforms.
        symmetry: the kind of transformation.
        seed: the seed of the transformations.
    """
    before, after = model(molecules), model(transform(molecules, symmetry, seed))
    change = (after - before).double()
    return SymmetryError(
        largest=change.abs().max().item(),
        change=change.square().mean().sqrt().item(),
        spread=before.double().std(correction=0).item(),
    )


def transform(molecules: Molecules, symmetry: Symmetry, seed: int) -> Molecules:
    """Transform each molecule at random, by a transformation of its own.

    Args:
        molecules: `[B, ...]`.
        symmetry: `permutation` lists the atoms in another order, with the padding behind them; `rotation` is about the
            origin, `reflection` in a plane through the origin, `translation` by some angstrom; `translation along the
            string` puts padding before the tokens, as much for one molecule as for the others.
        seed: the seed of the transformations.
    """
    generator = torch.Generator().manual_seed(seed)
    mask = molecules.mask
    if symmetry == "permutation":
        keys = torch.rand(mask.shape, generator=generator).to(mask.device)
        return molecules.relabel(random_order(mask, keys))
    if symmetry == "translation along the string":
        shift = int(torch.randint(1, MOST_TOKENS + 1, (), generator=generator))
        return molecules._replace(tokens=functional.pad(molecules.tokens, (shift, 0)))
    positions = molecules.positions
    if symmetry == "translation":
        moved = positions + SHIFT * torch.randn(len(mask), 1, 3, generator=generator).to(positions)
    else:
        draw = _random_rotations if symmetry == "rotation" else _random_reflections
        moved = positions @ draw(len(mask), generator).to(positions)
    return molecules._replace(positions=moved * mask[..., None])


def _random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """Draw rotations, `[count, 3, 3]`, all equally likely (Mezzadri 2007, arXiv:math-ph/0609050, section 5)."""
    q, r = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    return q * torch.det(q).sign()[:, None, None]


def _random_reflections(count: int, generator: torch.Generator) -> Tensor:
    """Draw mirrors through the origin, `[count, 3, 3]`: I - 2 n n^T with a random unit vector n."""
    n = functional.normalize(torch.randn(count, 3, 1, generator=generator, dtype=torch.float64), dim=1)
    return torch.eye(3, dtype=torch.float64) - 2 * n @ n.mT
