"""The density of the eigenvalues of a symmetric matrix that is known by its products with vectors only."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from ibbench.probes.subject.ridge import Floats

STEPS, DRAWS = 40, 4  # Lanczos steps from each random vector, and random vectors
_SMALLEST = 1e-6  # norm of a new vector, over the largest entry so far, below which the matrix maps the vectors found
#                   onto themselves, so that all that they can say is said

Product = Callable[[Tensor], Tensor]  # maps a vector `[P]` to the product of the matrix with it, `[P]`


def spectral_measure(
    multiply: Product, size: int, seed: int, steps: int = STEPS, draws: int = DRAWS
) -> tuple[Floats, Floats]:
    """Estimate the density of eigenvalues by stochastic Lanczos quadrature.

    From a random vector z of signs, Lanczos' iteration makes a tridiagonal matrix T `[k, k]`. Its eigenvalues are the
    nodes, and the squared first entries of its eigenvectors the weights, of the Gaussian quadrature of the density of
    eigenvalues as seen from z: the mean of f over eigenvalues is the sum of weight times f(node), exactly for
    polynomials up to degree 2 k - 1 but for the draw of z (Golub & Welsch 1969; Ubaru, Chen & Saad 2017,
    doi:10.1137/16M1104974; Ghorbani et al. 2019, arXiv:1901.10159). Each new vector is made orthogonal to all before,
    twice, which rounding would undo.

    Args:
        multiply: a function that multiplies the matrix with a vector `[size]`, float32.
        size: the number of rows.
        seed: the seed of the signs.
        steps: the number of Lanczos steps from each vector.
        draws: the number of vectors.

    Returns:
        The nodes and their weights, in one array each; all weights are at least 0 and add up to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    nodes, weights = [], []
    for _ in range(draws):
        start = torch.randint(0, 2, (size,), generator=generator).double() * 2 - 1
        diagonal, beside = _tridiagonal(multiply, start / start.norm(), min(steps, size))
        values, vectors = eigh_tridiagonal(diagonal, beside)
        nodes.append(values)
        weights.append(np.square(vectors[0]) / draws)
    return np.concatenate(nodes), np.concatenate(weights)


def _tridiagonal(multiply: Product, start: Tensor, steps: int) -> tuple[Floats, Floats]:
    """Return the diagonal `[k]` and the entries beside it `[k - 1]` of Lanczos' matrix, k at most `steps`."""
    basis = start[None]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        product = multiply(basis[-1].float()).detach().cpu().double()
        diagonal.append(float(basis[-1] @ product))
        for _ in range(2):
            product = product - basis.T @ (basis @ product)
        norm = float(product.norm())
        if len(diagonal) == steps or norm <= _SMALLEST * max(map(abs, diagonal + beside)):
            return np.array(diagonal), np.array(beside)
        beside.append(norm)
        basis = torch.cat([basis, product[None] / norm])
