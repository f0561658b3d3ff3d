"""Patterns of values over molecules, from smooth to rough, and how much of labels is in each."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEIGHBOURS = 10
_RADIUS, _BITS = 2, 2048  # of Morgan fingerprints


def kernel_modes(kernel: Floats) -> Floats:
    """Return the eigenvectors of a kernel `[n, n]`, those of the largest eigenvalues first, a column each."""
    return np.linalg.eigh(kernel)[1][:, ::-1]


def graph_modes(similarity: Floats) -> Floats:
    """Return the eigenvectors of the normalised Laplacian of a neighbour graph, the smoothest first, a column each.

    The graph joins each molecule to the most alike others, and those to it, by an edge of that similarity. The
    Laplacian is I - D^-1/2 W D^-1/2 (Chung 1997); its eigenvalue is how much a pattern differs along edges.

    Args:
        similarity: of all pairs, `[n, n]`, symmetric, from 0 to 1.
    """
    count = len(similarity)
    alike = similarity - 2 * np.eye(count)  # nobody is its own neighbour
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
    """Return ranges of modes by name, each four times as wide as the one before."""
    found, start, width = {}, 0, 1
    while start < count:
        end = min(start + width, count)
        found[f"{start + 1}" if end == start + 1 else f"{start + 1} to {end}"] = slice(start, end)
        start, width = end, 4 * width
    return found


def power(modes: Floats, values: Floats, band: slice) -> float:
    """Return the squared length of values `[n]` within a band of modes `[n, n]`."""
    return float(np.square(modes[:, band].T @ values).sum())
