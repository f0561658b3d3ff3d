"""SMILES to features: the same code for training and for prediction."""

import functools
import re
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from rdkit import Chem, rdBase

from ibbench.data.layout import (
    AROMATIC,
    AROMATIC_BOND,
    ATOMIC_NUMBER,
    DOUBLE_BOND,
    ELEMENTS_OF,
    HYDROGEN,
    LAYOUTS,
    MAX_ATOMS,
    NUM_HYDROGENS,
    ORGANIC_FEATURES,
    SINGLE_BOND,
    TRIPLE_BOND,
    FeatureLayout,
)
from ibbench.data.stereo import label_atoms
from ibbench.data.unseen import find_marks
from ibbench.data.walk import atoms_of, bonds_of
from ibbench.errors import InputError, shorten

_COLUMN_OF_ELEMENT = {number: ORGANIC_FEATURES.index(symbol) for symbol, number in ELEMENTS_OF["organic"].items()}
_COLUMN_OF_HYBRIDISATION = {
    Chem.HybridizationType.SP: ORGANIC_FEATURES.index("sp"),
    Chem.HybridizationType.SP2: ORGANIC_FEATURES.index("sp2"),
    Chem.HybridizationType.SP3: ORGANIC_FEATURES.index("sp3"),
    Chem.HybridizationType.SP3D: ORGANIC_FEATURES.index("sp3d"),
    Chem.HybridizationType.SP3D2: ORGANIC_FEATURES.index("sp3d2"),
}
_OTHER_ELEMENT, _POSITIVE, _NEGATIVE, _IN_RING = (
    ORGANIC_FEATURES.index(name) for name in ("other_element", "positive_charge", "negative_charge", "in_ring")
)
_CODE_OF_BOND = {
    Chem.BondType.SINGLE: SINGLE_BOND,
    Chem.BondType.DOUBLE: DOUBLE_BOND,
    Chem.BondType.TRIPLE: TRIPLE_BOND,
    Chem.BondType.AROMATIC: AROMATIC_BOND,
}
_ZERO_CHARGE = 128  # added to charges, which RDKit keeps in a signed byte
_CODE_OF_DOUBLED_ORDER = np.zeros(256, dtype=np.uint8)  # twice the order of a bond to its code; others are odd
_CODE_OF_DOUBLED_ORDER[[2, 4, 6, 3]] = SINGLE_BOND, DOUBLE_BOND, TRIPLE_BOND, AROMATIC_BOND
_SPELLS_ODD_BOND = re.compile(r"[~$<>]")  # no other bonds of a canonical SMILES are of another kind
# RDKit stops reading at white space, and skips control characters and everything that is not ASCII at either end: from
# `CC(=O)O` with a typographer's minus sign behind it, it would read the neutral acid.
_NOT_IN_SMILES = re.compile(r"[^!-~]")
_BLOCK = 8192  # molecules that a worker takes at a time: large enough that starting it costs little


class Features(NamedTuple):
    """The graphs of M molecules, padded to the largest of them (see `Molecules`)."""

    atoms: np.ndarray  # uint8 [M, N, F]; the columns are those of a layout
    bonds: np.ndarray  # uint8 [M, N, N]
    num_atoms: np.ndarray  # int64 [M]; 0 where the SMILES cannot be used


class Reading(NamedTuple):
    """What was read from M SMILES.

    Attributes:
        features: the graphs, with implicit hydrogens.
        canonical: the isomeric SMILES in RDKit's own spelling, without atom map numbers; empty for a SMILES that cannot
            be used. Two molecules are the same if these are equal.
        refused: the reason why a SMILES cannot be used, by its index.
        large: the indices of the refused SMILES whose only fault is too many atoms.
        odd_bonds: for each bond that is neither single, double, triple nor aromatic, the index of its molecule and
            RDKit's name of the kind. Features show such a bond as triple if its order is above 3, and else as single.
        marks: what each SMILES spells that the features do not show, see `find_marks`, uint8 `[M]`.
    """

    features: Features
    canonical: list[str]
    refused: dict[int, str]
    large: list[int]
    odd_bonds: list[tuple[int, str]]
    marks: np.ndarray


def featurize(smiles: list[str], hydrogens: str, layout: FeatureLayout = "qm9") -> Features:
    """Compute atom and bond features with RDKit.

    Args:
        smiles: one string per molecule.
        hydrogens: the way to treat them: `implicit` counts them as a feature of their atom; `explicit` also makes each
            an atom of its own, as RDKit's `AddHs` does and in the same order.
        layout: name of the features to compute, one of `LAYOUTS`.

    Returns:
        The features; a molecule that cannot be read has no atoms.

    Raises:
        InputError: a molecule has more than 128 atoms.
    """
    reading = read_smiles(smiles, hydrogens, layout=layout)
    for index in reading.large:
        raise InputError(f"`{shorten(smiles[index])}` is too large for the dense layout: {reading.refused[index]}")
    return add_hydrogens(reading.features) if hydrogens == "explicit" else reading.features


def read_smiles(
    smiles: list[str], hydrogens: str, max_atoms: int = MAX_ATOMS, jobs: int = -1, layout: FeatureLayout = "qm9"
) -> Reading:
    """Read SMILES with RDKit.

    Args:
        smiles: one string per molecule.
        hydrogens: the way to count them: as atoms (`explicit`) or not (`implicit`).
        max_atoms: the number of atoms above which a molecule is refused.
        jobs: number of processes; -1 for one per core. A small list is read in this process.
        layout: name of the features to compute, one of `LAYOUTS`.
    """
    blocks = [smiles[start : start + _BLOCK] for start in range(0, len(smiles), _BLOCK)] or [[]]
    read = functools.partial(_read_block, hydrogens=hydrogens, max_atoms=max_atoms, layout=layout)
    if len(blocks) == 1:
        done = [read(blocks[0])]
    else:
        done = Parallel(n_jobs=jobs)(delayed(read)(block) for block in blocks)
        get_reusable_executor().shutdown()  # its workers would keep their memory for minutes, while training begins
    n = max(reading.features.atoms.shape[1] for reading in done)
    padded = [_pad(reading.features, n) for reading in done]
    return Reading(
        Features(*(np.concatenate(parts) for parts in zip(*padded, strict=True))),
        [text for reading in done for text in reading.canonical],
        {_BLOCK * block + index: why for block, reading in enumerate(done) for index, why in reading.refused.items()},
        [_BLOCK * block + index for block, reading in enumerate(done) for index in reading.large],
        [(_BLOCK * block + index, kind) for block, reading in enumerate(done) for index, kind in reading.odd_bonds],
        np.concatenate([reading.marks for reading in done]),
    )


def _pad(features: Features, n: int) -> Features:
    more = n - features.atoms.shape[1]
    return Features(
        np.pad(features.atoms, ((0, 0), (0, more), (0, 0))),
        np.pad(features.bonds, ((0, 0), (0, more), (0, more))),
        features.num_atoms,
    )


def _read_block(smiles: list[str], hydrogens: str, max_atoms: int, layout: FeatureLayout) -> Reading:
    with rdBase.BlockLogs():
        parsed = [_parse(text) for text in smiles]
    graphs: list[Chem.Mol | None] = []
    refused: dict[int, str] = {}
    large: list[int] = []
    for index, graph in enumerate(parsed):
        size = 0 if isinstance(graph, str) else graph.GetNumAtoms(onlyExplicit=hydrogens == "implicit")
        graphs.append(None if isinstance(graph, str) or size > max_atoms else graph)
        if isinstance(graph, str):
            refused[index] = graph
        elif size > max_atoms:
            counted = " with its hydrogens" if hydrogens == "explicit" else ""
            refused[index] = f"it has {size:,} atoms{counted}, more than {max_atoms}"
            large.append(index)
    canonical = ["" if graph is None else canonical_smiles(graph) for graph in graphs]
    features, odd_bonds = _compute(graphs, canonical, layout)
    if layout == "organic":
        _show_stereo(features, graphs, canonical)
    marks = [find_marks(graph, text, layout) for graph, text in zip(graphs, smiles, strict=True)]
    return Reading(features, canonical, refused, large, odd_bonds, np.array(marks, dtype=np.uint8))


def _parse(text: str) -> Chem.Mol | str:
    """Return the molecule that a text spells from its first character to its last, or why there is none."""
    if not text:
        return "it is empty"
    wrong = _NOT_IN_SMILES.search(text)
    if wrong:
        return "it has white space inside" if wrong[0].isspace() else f"no SMILES has the character {wrong[0]!r}"
    return Chem.MolFromSmiles(text) or "RDKit cannot parse it"


def canonical_smiles(graph: Chem.Mol) -> str:
    """Return the isomeric SMILES in RDKit's own spelling, without atom map numbers, which are no chemistry."""
    spelled: str = Chem.MolToSmiles(graph)
    if ":" not in spelled:
        return spelled
    graph = Chem.Mol(graph)
    for atom in atoms_of(graph):
        atom.SetAtomMapNum(0)
    Chem.AssignStereochemistry(graph, cleanIt=True, force=True)  # some may have been due to the numbers alone
    return str(Chem.MolToSmiles(graph))


def _compute(
    graphs: list[Chem.Mol | None], canonical: list[str], layout: FeatureLayout
) -> tuple[Features, list[tuple[int, str]]]:
    """Compute the features of molecules, none where there is no graph, and list their odd bonds (see `Reading`).

    Stereo is not among these features: `_show_stereo` adds it.
    """
    num_atoms = np.array([0 if graph is None else graph.GetNumAtoms() for graph in graphs], dtype=np.int64)
    n = max(1, int(num_atoms.max(initial=0)))
    atoms = np.zeros((len(graphs), n, len(LAYOUTS[layout])), dtype=np.uint8)
    atoms[np.arange(n) < num_atoms[:, None]] = _fill_columns(_read_atoms(graphs, layout), layout)
    doubled = np.zeros((len(graphs), n, n), dtype=np.uint8)  # twice the order of each bond
    odd: list[tuple[int, Chem.Mol]] = []
    for index, (graph, text) in enumerate(zip(graphs, canonical, strict=True)):
        if graph is None:
            continue
        size = graph.GetNumAtoms()
        doubled[index, :size, :size] = 2 * Chem.GetAdjacencyMatrix(graph, useBO=True)
        if _SPELLS_ODD_BOND.search(text):
            odd.append((index, graph))
    bonds = _CODE_OF_DOUBLED_ORDER[doubled]
    odd_bonds: list[tuple[int, str]] = []
    for index, graph in odd:
        for bond in bonds_of(graph):
            code, kind = _CODE_OF_BOND.get(bond.GetBondType()), str(bond.GetBondType()).lower()
            if code is None:
                odd_bonds.append((index, kind))
                code = TRIPLE_BOND if bond.GetBondTypeAsDouble() > 3 else SINGLE_BOND
            begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            bonds[index, begin, end] = bonds[index, end, begin] = code
    return Features(atoms, bonds, num_atoms), odd_bonds


def _read_atoms(graphs: list[Chem.Mol | None], layout: FeatureLayout) -> np.ndarray:
    """Return atomic number, hybridisation, aromaticity and number of hydrogens of all A atoms, uint8 `[A, 4]`.

    For the layout `organic` formal charge + 128 and whether the atom is in a ring stand behind these, `[A, 6]`.
    """
    rows: list[int] = []  # all numbers are small, so that one string of bytes can hold them
    if layout == "qm9":
        for graph in graphs:
            for atom in atoms_of(graph) if graph else ():
                rows += (atom.GetAtomicNum(), atom.GetHybridization(), atom.GetIsAromatic(), atom.GetTotalNumHs())
        return np.frombuffer(bytes(rows), dtype=np.uint8).reshape(-1, 4)
    for graph in graphs:
        for atom in atoms_of(graph) if graph else ():
            rows += (
                atom.GetAtomicNum(), atom.GetHybridization(), atom.GetIsAromatic(), atom.GetTotalNumHs(),
                atom.GetFormalCharge() + _ZERO_CHARGE, atom.IsInRing(),
            )  # fmt: skip
    return np.frombuffer(bytes(rows), dtype=np.uint8).reshape(-1, 6)


def _fill_columns(rows: np.ndarray, layout: FeatureLayout) -> np.ndarray:
    """Return the features of A atoms but stereo, uint8 `[A, F]`, from what `_read_atoms` returns."""
    number, hybridisation, aromatic, num_hydrogens, *more = rows.T
    features = np.zeros((len(rows), len(LAYOUTS[layout])), dtype=np.uint8)
    for element in ELEMENTS_OF[layout].values():
        features[:, _COLUMN_OF_ELEMENT[element]] = number == element
    if layout == "organic":
        charge = more[0].astype(np.int64) - _ZERO_CHARGE
        features[:, _OTHER_ELEMENT] = ~np.isin(number, list(_COLUMN_OF_ELEMENT))
        features[:, _POSITIVE], features[:, _NEGATIVE] = charge.clip(0), (-charge).clip(0)
        features[:, _IN_RING] = more[1]
    features[:, ATOMIC_NUMBER] = number
    for kind, column in _COLUMN_OF_HYBRIDISATION.items():
        if column < features.shape[1]:
            features[:, column] = hybridisation == int(kind)
    features[:, AROMATIC] = aromatic
    features[:, NUM_HYDROGENS] = num_hydrogens
    return features


def _show_stereo(features: Features, graphs: list[Chem.Mol | None], canonical: list[str]) -> None:
    """Set the features of stereo, in place."""
    for index, (graph, text) in enumerate(zip(graphs, canonical, strict=True)):
        if graph is not None and any(letter in text for letter in "@/\\"):
            for atom, column in label_atoms(graph):
                features.atoms[index, atom, column] = 1


def add_hydrogens(features: Features) -> Features:
    """Make each attached hydrogen an atom of its own, behind all others, in the order of the atoms they belong to."""
    attached = features.atoms[..., NUM_HYDROGENS].astype(np.int64)
    total = features.num_atoms + attached.sum(axis=1)
    n = max(1, int(total.max(initial=0)))
    atoms, bonds, _ = _pad(features, max(n, features.atoms.shape[1]))
    molecule, parent = (np.repeat(where, attached[attached > 0]) for where in np.nonzero(attached))
    first = np.concatenate([[0], np.cumsum(attached.sum(axis=1))[:-1]])
    slot = features.num_atoms[molecule] + np.arange(len(molecule)) - first[molecule]
    atoms[molecule, slot, _COLUMN_OF_ELEMENT[HYDROGEN]] = 1
    atoms[molecule, slot, ATOMIC_NUMBER] = HYDROGEN
    bonds[molecule, slot, parent] = SINGLE_BOND
    bonds[molecule, parent, slot] = SINGLE_BOND
    return Features(atoms[:, :n], bonds[:, :n, :n], total)
