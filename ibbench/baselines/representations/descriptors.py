"""Some two hundred numbers that chemists have thought of: RDKit's descriptors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import RepresentationBase, Shown

# These take half of the time of all together, and are made of others.
_SLOW = ("qed", "SPS", "BCUT2D_")
_HUGE = 1e4  # magnitudes above this are told on a logarithmic scale: `Ipc` grows exponentially with the atoms


class Representation(RepresentationBase):
    """RDKit's descriptors of a molecular graph, such as counts of groups, surface areas by charge, and indices."""

    reads = "smiles"
    standardised = True

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the descriptors, float32 `[n, p]`; one that is not defined for a molecule is 0."""
        from rdkit import Chem, rdBase
        from rdkit.Chem import Descriptors

        functions = [function for name, function in Descriptors.descList if not name.startswith(_SLOW)]
        values = np.zeros((len(shown.smiles), len(functions)))
        with rdBase.BlockLogs():
            for row, text in enumerate(shown.smiles):
                molecule = Chem.MolFromSmiles(text)
                values[row] = [function(molecule) for function in functions]
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        size = np.abs(values)
        logarithm = np.sign(values) * _HUGE * (1 + np.log(np.maximum(size, _HUGE) / _HUGE))
        return np.where(size > _HUGE, logarithm, values).astype(np.float32)
