"""How often each neighbourhood of up to two bonds occurs: Morgan count fingerprints, also called ECFP4."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import RepresentationBase, Shown, as_counts

_RADIUS = 2  # bonds; ECFP4 is named after the diameter
_LENGTH = 2048  # neighbourhoods are hashed into so many columns, so that some share one


class Representation(RepresentationBase):
    """Counts of circular neighbourhoods of radius 2 (Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742)."""

    reads = "smiles"

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the counts, uint8 `[n, 2048]`."""
        from rdkit import Chem
        from rdkit.Chem import rdFingerprintGenerator

        generator = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_LENGTH)
        rows = [generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in shown.smiles]
        return as_counts(np.array(rows).reshape(-1, _LENGTH))
