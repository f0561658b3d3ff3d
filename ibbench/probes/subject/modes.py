"""Modes: orthogonal patterns of values over molecules, from smooth to rough, and the power of labels in each."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEIGHBOURS = 10
_RADIUS, _BITS = 2, 2048  # radius and length of Morgan fingerprints


def kernel_modes(kernel: Floats) -> Floats:
    """Return the eigenvectors of a kernel `[n, n]` as columns `[n, n]`, those of the largest eigenvalues first."""
    return np.linalg.eigh(kernel)[1][:, ::-1]


def graph_modes(similarity: Floats) -> Floats:
    """Return the eigenvectors of the normalised Laplacian of a neighbour graph as columns `[n, n]`, smoothest first.

    The graph joins each molecule to its 10 most similar ones, by undirected edges whose weights W are the similarities.
    With the diagonal matrix D of the sums of rows of W, the Laplacian is I - D^-1/2 W D^-1/2 (Chung 1997). Its
    eigenvalues say how much an eigenvector differs along edges.

    Args:
        similarity: similarity of all pairs of molecules, symmetric, from 0 to 1, `[n, n]`.
    """
    count = len(similarity)
    alike = similarity - 2 * np.eye(count)  # no molecule is its own neighbour
    near = np.argsort(-alike, axis=1, kind="stable")[:, :NEIGHBOURS]
    joined = np.zeros((count, count), dtype=bool)
    joined[np.arange(count)[:, None], near] = True
    weights = np.where(joined | joined.T, similarity.clip(min=1e-6), 0.0)
    np.fill_diagonal(weights, 0.0)
    scale = 1 / np.sqrt(weights.sum(1))
    return np.linalg.eigh(np.eye(count) - scale[:, None] * weights * scale)[1]


def fingerprint_similarity(smiles: list[str]) -> Floats:
    """Return the Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits) of all pairs, `[n, n]`."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_BITS)
    bits = np.stack([generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles]).astype(float)
    common, sizes = bits @ bits.T, bits.sum(1)
    either = sizes[:, None] + sizes - common
    return np.divide(common, either, out=np.zeros_like(common), where=either > 0)


def bands(count: int) -> dict[str, slice]:
    """Divide the modes 1 to `count` into bands of 1, 4, 16, 64, ... modes; return the columns of each by its name."""
    found, start, width = {}, 0, 1
    while start < count:
        end = min(start + width, count)
        found[f"{start + 1}" if end == start + 1 else f"{start + 1} to {end}"] = slice(start, end)
        start, width = end, 4 * width
    return found


def power(modes: Floats, values: Floats, band: slice) -> float:
    """Return the sum over a band of the squared projections of values `[n]` on its modes, the columns of `[n, n]`."""
    return float(np.square(modes[:, band].T @ values).sum())
