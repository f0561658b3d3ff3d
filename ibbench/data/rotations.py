"""Random rotations in space."""

import torch
from torch import Tensor


def random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """Draw rotations, float64 `[count, 3, 3]`, all equally likely (Mezzadri 2007, arXiv:math-ph/0609050, section 5)."""
    q, r = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    return q * torch.det(q).sign()[:, None, None]
