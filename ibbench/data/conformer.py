"""Coordinates of molecules of which only the SMILES is known, from RDKit's ETKDG."""

from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

_SEED = 0
_TRIES = 20  # attempts per molecule and way of starting; most molecules need one


def embed(canonical: list[str], hydrogens: str, num_atoms: int) -> np.ndarray:
    """Return a conformer of each molecule, float32 `[M, num_atoms, 3]` in angstrom, NaN where none is found.

    ETKDG version 3 (Riniker & Landrum 2015, J. Chem. Inf. Model. 55, 2562) finds it, with a fixed seed and all
    hydrogens, and it is not optimised. The same SMILES always gives the same conformer.

    Args:
        canonical: M SMILES in RDKit's own spelling, so that a molecule has one geometry, however a user spells it.
        hydrogens: `implicit` for the coordinates of heavy atoms only; `explicit` for those of hydrogens, too, in the
            order of `featurize`.
        num_atoms: N, the number of atoms that molecules are padded to; coordinates behind the last atom are zero.
    """
    positions = np.zeros((len(canonical), num_atoms, 3), dtype=np.float32)
    with rdBase.BlockLogs():
        for row, text in enumerate(canonical):
            heavy = Chem.MolFromSmiles(text)
            molecule = Chem.AddHs(heavy)
            size = (molecule if hydrogens == "explicit" else heavy).GetNumAtoms()
            found = _embed(molecule)
            positions[row, :size] = np.nan if found is None else found[:size]
    return positions


def _embed(molecule: Chem.Mol) -> np.ndarray | None:
    for start_at_random in (False, True):
        parameters: Any = rdDistGeom.ETKDGv3()
        parameters.randomSeed = _SEED
        parameters.useRandomCoords = start_at_random
        parameters.maxIterations = _TRIES
        try:
            if rdDistGeom.EmbedMolecule(molecule, parameters) == 0:
                return np.asarray(molecule.GetConformer().GetPositions(), dtype=np.float32)
        except (RuntimeError, ValueError):  # for example, ETKDG knows no length for one of the bonds
            return None
    return None
