"""The scaffolds of molecules: their rings and what links them, without side chains."""

import hashlib

import numpy as np

from ibbench.data.cache import CacheError, cache_folder, read_cache, write_cache
from ibbench.data.dataset import DataSet
from ibbench.data.identity import package_versions

_FORMAT = 2  # raise it when scaffolds are found in another way
_BLOCK = 2048  # molecules that a worker takes at a time


def load_scaffolds(dataset: DataSet) -> np.ndarray:
    """Return a number for each molecule, equal for equal scaffolds, int64 `[M]`.

    Scaffolds are those of Bemis & Murcko 1996 (J. Med. Chem. 39, 2887) as RDKit finds them, without stereochemistry;
    all molecules without a ring have the same, empty one. The numbers are kept in the cache, since the scaffolds of
    QM9 take half a minute to find.

    Raises:
        InputError: the cache cannot be written.
    """
    digest = hashlib.sha256("\n".join(dataset.smiles).encode()).hexdigest()
    expected = {"scaffolds": _FORMAT, "smiles": digest, **package_versions("rdkit")}
    path = cache_folder() / f"{dataset.source.replace(':', '-')}-scaffolds.safetensors"
    try:
        return read_cache(path, expected)[0]["scaffolds"]
    except (FileNotFoundError, CacheError):
        _, numbers = np.unique(np.array(find_scaffolds(dataset.smiles), dtype=object), return_inverse=True)
        write_cache(path, {"scaffolds": numbers.astype(np.int64)}, expected)
        return numbers.astype(np.int64)


def find_scaffolds(smiles: list[str]) -> list[str]:
    """Return the SMILES of the scaffold of each molecule, on all cores; empty for one without a ring."""
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    blocks = [smiles[start : start + _BLOCK] for start in range(0, len(smiles), _BLOCK)]
    if len(blocks) <= 1:
        return _find_block(smiles)
    found = Parallel(n_jobs=-1)(delayed(_find_block)(block) for block in blocks)
    get_reusable_executor().shutdown()  # its workers would keep their memory while training begins
    return [text for block in found for text in block]


def _find_block(smiles: list[str]) -> list[str]:
    from rdkit import Chem, rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold

    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in smiles]
        for molecule in molecules:
            for atom in molecule.GetAtoms():  # a scaffold would keep the map numbers, and be no other molecule's
                atom.SetAtomMapNum(0)
        return [MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) for molecule in molecules]
