"""What molecules of a data set are called, from its cache alone: to name and draw a few of them."""

import numpy as np
from numpy.typing import NDArray

from ibbench.data.cache import CacheError, cache_path, read_cache, restore_texts
from ibbench.data.layout import LAYOUTS


def read_smiles(source: str, hydrogens: str, index: NDArray[np.int64], ids: NDArray[np.int64]) -> list[str]:
    """Read the SMILES of molecules from the cache of their data set; none is built.

    Args:
        source: identity of the source, as records keep it.
        hydrogens: `implicit` or `explicit`.
        index: positions of the molecules in the data set, `[K]`.
        ids: names that the source gave them, `[K]`, which tell whether the cache is of the same molecules.

    Raises:
        CacheError: there is no such cache here, it cannot be used, or it has other molecules; the message is the rest
            of a sentence about the data cache.
    """
    paths = [path for layout in LAYOUTS if (path := cache_path(source, hydrogens, layout)).exists()]
    if not paths:
        raise CacheError("is not on this machine")
    arrays, _ = read_cache(paths[0], {})  # whatever the features are, the SMILES are the same
    smiles, known = restore_texts("smiles", arrays), arrays["ids"]
    if len(index) and (index.min() < 0 or index.max() >= len(known) or (known[index] != ids).any()):
        raise CacheError("is of other molecules than the study")
    return [smiles[place] for place in index]
