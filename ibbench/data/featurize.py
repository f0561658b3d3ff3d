"""SMILES to features: the same code for training and for prediction."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from rdkit import Chem, rdBase

from ibbench.data.layout import (
    AROMATIC,
    AROMATIC_BOND,
    ATOM_FEATURES,
    ATOMIC_NUMBER,
    DOUBLE_BOND,
    ELEMENTS,
    HYDROGEN,
    MAX_ATOMS,
    NO_BOND,
    NUM_ATOM_FEATURES,
    NUM_HYDROGENS,
    SINGLE_BOND,
    TRIPLE_BOND,
)
from ibbench.errors import InputError

_COLUMN_OF_ELEMENT = {number: ATOM_FEATURES.index(symbol) for symbol, number in ELEMENTS.items()}
_COLUMN_OF_HYBRIDISATION = {
    Chem.HybridizationType.SP: ATOM_FEATURES.index("sp"),
    Chem.HybridizationType.SP2: ATOM_FEATURES.index("sp2"),
    Chem.HybridizationType.SP3: ATOM_FEATURES.index("sp3"),
}
# By twice the bond order: 1.5 is aromatic; what is more than a triple bond (metals) counts as one.
_CODE_OF_HALF_BOND_ORDERS = np.array(
    [NO_BOND, SINGLE_BOND, SINGLE_BOND, AROMATIC_BOND, DOUBLE_BOND, DOUBLE_BOND, *[TRIPLE_BOND] * 7], dtype=np.uint8
)
_BLOCK = 8192  # molecules a worker takes at a time: large enough that starting it costs little


class Features(NamedTuple):
    """The graphs of M molecules, padded to the largest of them (see `Molecules`)."""

    atoms: np.ndarray  # uint8 [M, N, 11]
    bonds: np.ndarray  # uint8 [M, N, N]
    num_atoms: np.ndarray  # int64 [M]; 0 where RDKit could not parse the SMILES


def featurize(smiles: list[str], hydrogens: str, jobs: int = -1) -> Features:
    """Compute atom and bond features with RDKit.

    Args:
        smiles: one string a molecule.
        hydrogens: `implicit` counts them as a feature of their atom; `explicit` also makes each an atom of its
            own, as RDKit's `AddHs` does and in the same order.
        jobs: processes; -1 for one a core. A small list is done in this process.

    Raises:
        InputError: a molecule has more than 128 atoms.
    """
    features = _with_implicit_hydrogens(smiles, jobs)
    return add_hydrogens(features, smiles) if hydrogens == "explicit" else features


def _with_implicit_hydrogens(smiles: list[str], jobs: int) -> Features:
    blocks = [smiles[start : start + _BLOCK] for start in range(0, len(smiles), _BLOCK)] or [[]]
    if len(blocks) == 1:
        done = [_featurize_block(blocks[0])]
    else:
        done = Parallel(n_jobs=jobs)(delayed(_featurize_block)(block) for block in blocks)
        get_reusable_executor().shutdown()  # its workers would keep their memory for minutes, while training begins
    n = max(features.atoms.shape[1] for features in done)
    return Features(*(np.concatenate(parts) for parts in zip(*(_pad(features, n) for features in done), strict=True)))


def _pad(features: Features, n: int) -> Features:
    more = n - features.atoms.shape[1]
    return Features(
        np.pad(features.atoms, ((0, 0), (0, more), (0, 0))),
        np.pad(features.bonds, ((0, 0), (0, more), (0, more))),
        features.num_atoms,
    )


def _featurize_block(smiles: list[str]) -> Features:
    with rdBase.BlockLogs():
        graphs: list[Chem.Mol | None] = [Chem.MolFromSmiles(text) for text in smiles]
    num_atoms = np.array([0 if graph is None else graph.GetNumAtoms() for graph in graphs], dtype=np.int64)
    n = max(1, int(num_atoms.max(initial=0)))
    _refuse_large(n, smiles, num_atoms)
    rows: list[tuple[int, int, bool, int]] = []
    bonds = np.zeros((len(graphs), n, n), dtype=np.uint8)
    for index, graph in enumerate(graphs):
        if graph is None:
            continue
        rows += [
            (
                atom.GetAtomicNum(),
                _COLUMN_OF_HYBRIDISATION.get(atom.GetHybridization(), 0),
                atom.GetIsAromatic(),
                atom.GetTotalNumHs(),
            )
            for atom in graph.GetAtoms()
        ]
        size = graph.GetNumAtoms()
        orders = Chem.GetAdjacencyMatrix(graph, useBO=True)
        bonds[index, :size, :size] = _CODE_OF_HALF_BOND_ORDERS[(2 * orders).astype(np.int64)]
    atoms = np.zeros((len(graphs), n, NUM_ATOM_FEATURES), dtype=np.uint8)
    atoms[np.arange(n) < num_atoms[:, None]] = _atom_rows(np.array(rows, dtype=np.int64).reshape(-1, 4))
    return Features(atoms, bonds, num_atoms)


def _atom_rows(rows: np.ndarray) -> np.ndarray:
    number, hybridisation, aromatic, num_hydrogens = rows.T
    features = np.zeros((len(rows), NUM_ATOM_FEATURES), dtype=np.uint8)
    for element, column in _COLUMN_OF_ELEMENT.items():
        features[:, column] = number == element
    features[:, ATOMIC_NUMBER] = number
    for column in _COLUMN_OF_HYBRIDISATION.values():
        features[:, column] = hybridisation == column
    features[:, AROMATIC] = aromatic
    features[:, NUM_HYDROGENS] = num_hydrogens
    return features


def add_hydrogens(features: Features, smiles: list[str]) -> Features:
    """Make each attached hydrogen an atom of its own, after all others, in the order of their parents.

    Raises:
        InputError: a molecule then has more than 128 atoms.
    """
    attached = features.atoms[..., NUM_HYDROGENS].astype(np.int64)
    total = features.num_atoms + attached.sum(axis=1)
    n = max(1, int(total.max(initial=0)))
    _refuse_large(n, smiles, total)
    atoms, bonds, _ = _pad(features, max(n, features.atoms.shape[1]))
    molecule, parent = (np.repeat(where, attached[attached > 0]) for where in np.nonzero(attached))
    first = np.concatenate([[0], np.cumsum(attached.sum(axis=1))[:-1]])
    slot = features.num_atoms[molecule] + np.arange(len(molecule)) - first[molecule]
    atoms[molecule, slot, _COLUMN_OF_ELEMENT[HYDROGEN]] = 1
    atoms[molecule, slot, ATOMIC_NUMBER] = HYDROGEN
    bonds[molecule, slot, parent] = SINGLE_BOND
    bonds[molecule, parent, slot] = SINGLE_BOND
    return Features(atoms[:, :n], bonds[:, :n, :n], total)


def _refuse_large(n: int, smiles: list[str], num_atoms: np.ndarray) -> None:
    if n > MAX_ATOMS:
        largest = smiles[int(num_atoms.argmax())]
        raise InputError(
            f"a molecule has {n} atoms; the dense layout takes at most {MAX_ATOMS}. Leave it out of the data: {largest}"
        )
