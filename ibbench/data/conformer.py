"""Coordinates of molecules of which only the SMILES is known, from RDKit's ETKDG."""

from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

_SEED = 0
_TRIES = 20  # of a molecule, from random starts; most need one


def embed(canonical: list[str], hydrogens: str, num_atoms: int) -> np.ndarray:
    """Return a conformer of each molecule, float32 `[M, num_atoms, 3]` in angstrom, NaN where none is found.

    It is that of ETKDG version 3 (Riniker & Landrum 2015, J. Chem. Inf. Model. 55, 2562) with a fixed seed, embedded
    with all hydrogens, and not optimised. Of the same spelling it is always the same.

    Args:
        canonical: SMILES in RDKit's own spelling, so that a molecule has one geometry, however it is spelt.
        hydrogens: `explicit` for the places of hydrogens too, in the order of `featurize`.
        num_atoms: N, what molecules are padded to; places beyond a molecule's end are zero.
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
        except (RuntimeError, ValueError):  # such as a bond that its rules have no length for
            return None
    return None
