"""What molecules carry that features of atoms and bonds do not show, such as charges, and which look alike without it.

This is found when the cache of a data set is built, and later counted in milliseconds. This file does not import
torch, and RDKit only where a SMILES has something to find.
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from ibbench.data.colours import refine
from ibbench.data.layout import ATOMIC_NUMBER, ELEMENTS_OF, FeatureLayout, layout_of
from ibbench.data.walk import atoms_of, bonds_of

if TYPE_CHECKING:
    from rdkit import Chem

    from ibbench.data.featurize import Features  # it imports RDKit

UNSEEN_FORMAT = 1  # raise it when what is found changes: older caches are then built again
# What a model reads of a molecule, from the least to the most; a SMILES spells charges, isotopes and stereo.
Sight: TypeAlias = Literal["atoms and bonds", "coordinates", "SMILES"]

# Bits of `Unseen.marks`. The last is for stereo that the features for organic chemistry do not show.
MARKS = {
    "charges": 1,
    "isotopes": 2,
    "unpaired electrons": 4,
    "stereo marks": 8,
    "stereo marks other than R, S, E and Z": 64,
}
_OTHER_ELEMENT = 16  # bit: the molecule has an element without a column of its own
_HAS_TWIN = 32  # bit: a different molecule has the same atoms and bonds
_ROUNDS = 4  # rounds of refinement: after these, only a few hundred molecules of QM9 have to be compared exactly
_MAX_NAMED = 4  # models that a sentence names one by one


class Unseen(NamedTuple):
    """What M molecules carry that their features do not show.

    Attributes:
        marks: what each molecule carries, as the bits of `MARKS` and two bits for this file alone, uint8 `[M]`.
        alike: index of the first molecule with the same atoms and bonds in any order, int32 `[M]`.
    """

    marks: np.ndarray
    alike: np.ndarray


class Counts(BaseModel):
    """How many molecules of a data set carry what features do not show; a part of records and of `study.json`.

    Attributes:
        total: the number of all molecules.
        marked: the number of molecules with any of `MARKS`.
        marks: the number of molecules with each of `MARKS`, by name; a mark that no molecule has is left out.
        other_elements: the number of molecules with an element that has no column of its own.
        alike: the number of molecules that look the same as another one and have other values of the targets.
        repeated: how many of `alike` are the same molecule as those they look like, as far as their SMILES tell.
        layout: the features that the molecules have, a name of `LAYOUTS`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    total: int
    marked: int
    marks: dict[str, int]
    other_elements: int
    alike: int
    repeated: int
    layout: FeatureLayout = "qm9"

    @model_serializer(mode="wrap")
    def _without_usual_layout(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the layout of QM9, which older records mean."""
        written: dict[str, Any] = write(self)
        if self.layout == "qm9":
            written.pop("layout", None)
        return written

    @property
    def tells(self) -> bool:
        """Whether any molecule carries something that its features do not show."""
        return bool(self.marked or self.other_elements or self.alike)


def find_unseen(features: "Features", groups: np.ndarray, marks: np.ndarray, colours: np.ndarray) -> Unseen:
    """Find what SMILES spell that the features made from them do not show.

    Args:
        features: the graphs of M molecules, with implicit hydrogens.
        groups: for each molecule the index of the first one that is the same molecule, int64 `[M]`.
        marks: what `find_marks` found in each, uint8 `[M]`.
        colours: hashes of the graphs, see `refine_graphs`, uint64 `[M]`.
    """
    marks, shown = marks.copy(), ELEMENTS_OF[layout_of(features.atoms.shape[-1])]
    is_atom = np.arange(features.atoms.shape[1]) < np.asarray(features.num_atoms)[:, None]
    other = ~np.isin(features.atoms[..., ATOMIC_NUMBER], list(shown.values()))
    marks[(other & is_atom).any(1)] |= _OTHER_ELEMENT
    alike, has_twin = groups.astype(np.int32), np.zeros(len(groups), dtype=bool)
    first = np.flatnonzero(groups == np.arange(len(groups)))  # the same molecule has the same graph, so one is enough
    for places in _repeated(colours[first]):
        for same in _identical_graphs(features, first[places]):
            alike[same], has_twin[same] = same[0], True
    marks[has_twin[groups]] |= _HAS_TWIN
    return Unseen(marks, alike[groups])


def find_marks(graph: "Chem.Mol | None", smiles: str, layout: FeatureLayout) -> int:
    """Return what a molecule carries that its features do not show, as bits of `MARKS`.

    Args:
        graph: the molecule, with the labels of `label_atoms` if the layout shows stereo; None has no marks.
        smiles: its SMILES as the source spells it. What is not spelled there, such as the charges that RDKit gives a
            nitro group written with two double bonds, is no mark.
        layout: the features, a name of `LAYOUTS`.
    """
    if graph is None or not any(letter in smiles for letter in "[/\\"):  # only brackets and slashes spell any mark
        return 0
    from rdkit import Chem

    from ibbench.data.stereo import has_unlabelled_stereo

    atoms = atoms_of(graph)
    found = {
        "isotopes": any(atom.GetIsotope() for atom in atoms),
        "unpaired electrons": any(atom.GetNumRadicalElectrons() for atom in atoms),
    }
    if layout == "organic":
        found["stereo marks other than R, S, E and Z"] = has_unlabelled_stereo(graph)
    else:
        found["charges"] = any(atom.GetFormalCharge() for atom in atoms)
        found["stereo marks"] = any(atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED for atom in atoms) or any(
            bond.GetStereo() > Chem.BondStereo.STEREOANY for bond in bonds_of(graph)
        )
    return sum(MARKS[name] for name, is_there in found.items() if is_there)


def refine_graphs(features: "Features") -> np.ndarray:
    """Return a hash of each graph, uint64 `[M]`: equal for equal graphs, and mostly different for others."""
    is_atom = np.arange(features.atoms.shape[1]) < np.asarray(features.num_atoms)[:, None]
    return refine(features.atoms, features.bonds, is_atom, _ROUNDS)[-1]


def _repeated(keys: np.ndarray) -> list[np.ndarray]:
    """Return, for each key that occurs more than once, the places where it occurs, in ascending order."""
    _, of_key, count = np.unique(keys, return_inverse=True, return_counts=True)
    places = np.flatnonzero(count[of_key] > 1)
    places = places[np.argsort(of_key[places], kind="stable")]
    return np.split(places, np.flatnonzero(np.diff(of_key[places])) + 1) if len(places) else []


def _identical_graphs(features: "Features", group: np.ndarray) -> list[np.ndarray]:
    """Group molecules whose graphs are exactly equal; molecules that share their graph with no other are left out."""
    size = int(features.num_atoms[group].max())
    _, kinds = np.unique(features.atoms[group, :size].reshape(len(group) * size, -1), axis=0, return_inverse=True)
    kinds = kinds.reshape(len(group), size)
    texts = [
        _spell_graph(kinds[row], features.bonds[index], int(features.num_atoms[index]))
        for row, index in enumerate(group)
    ]
    return [group[rows] for rows in _repeated(np.array(texts))]


def _spell_graph(kinds: np.ndarray, bonds: np.ndarray, size: int) -> str:
    """Return a canonical string of a graph with coloured atoms and bonds, through RDKit's canonical SMILES."""
    from rdkit import Chem

    types = [Chem.BondType.values[code] for code in (1, 2, 3, 12, 4, 5, 6)]  # any seven that differ
    graph = Chem.RWMol()
    for kind in kinds[:size]:
        atom = Chem.Atom(6)
        atom.SetNoImplicit(True)
        atom.SetIsotope(int(kind) + 1)  # stands for all features of the atom
        graph.AddAtom(atom)
    for start, end in zip(*np.nonzero(np.triu(bonds[:size, :size])), strict=True):
        graph.AddBond(int(start), int(end), types[bonds[start, end] - 1])
    return str(Chem.MolToSmiles(graph))


def count_unseen(unseen: Unseen, values: np.ndarray, layout: FeatureLayout = "qm9") -> Counts:
    """Count the molecules that carry what features do not show.

    Args:
        unseen: what `find_unseen` found in M molecules.
        values: the values of the T targets that are asked for, `[M, T]`.
        layout: the features that the molecules have, a name of `LAYOUTS`.
    """
    marks = {name: int(np.count_nonzero(unseen.marks & bit)) for name, bit in MARKS.items()}
    differing = _contradicting(unseen.alike, values)
    return Counts(
        total=len(unseen.marks),
        marked=int(np.count_nonzero(unseen.marks & sum(MARKS.values()))),
        marks={name: count for name, count in marks.items() if count},
        other_elements=int(np.count_nonzero(unseen.marks & _OTHER_ELEMENT)),
        alike=len(differing),
        repeated=int(np.count_nonzero(unseen.marks[differing] & _HAS_TWIN == 0)),
        layout=layout,
    )


def _contradicting(alike: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the places of the molecules that look the same as another one with other values."""
    groups = [group for group in _repeated(alike) if _differ(values[group])]
    return np.concatenate(groups) if groups else np.zeros(0, dtype=np.int64)


def _differ(values: np.ndarray) -> bool:
    """Whether molecules have different values of a target, `[m, T]`; values that are missing (NaN) differ from none."""
    missing = np.isnan(values)
    if missing.any():
        lowest, highest = np.where(missing, np.inf, values).min(0), np.where(missing, -np.inf, values).max(0)
        return bool((highest > lowest).any())
    return bool((values != values[0]).any())


def describe_unseen(counts: Counts, sights: dict[str, Sight]) -> list[str]:
    """Say in at most two sentences what models do not see of their molecules; return none if they see everything.

    Args:
        counts: the counts of the data set.
        sights: what each model reads of a molecule, by the name of the model.
    """
    blind = [model for model, sight in sights.items() if sight != "SMILES"]
    if not counts.tells or not blind:
        return []
    who = _listed(blind, "and") if len(blind) <= _MAX_NAMED else "models that do not read the SMILES"
    flat = [model for model in blind if sights[model] == "atoms and bonds"]
    parts = []
    if counts.marked:
        marks = _listed(list(counts.marks), "or")
        verb = "does" if len(blind) == 1 else "do"
        parts.append(f"{counts.marked:,} of {counts.total:,} molecules carry {marks}, which {who} {verb} not see")
    if counts.other_elements:
        those = "they" if parts and len(blind) > 1 else who
        columns = _listed(list(ELEMENTS_OF[counts.layout]), "and")
        parts.append(
            f"{counts.other_elements:,} molecules have elements other than {columns}, "
            f"which {those} can tell apart by the atomic number alone"
        )
    if counts.alike and flat:
        if flat == blind:
            whom = "them" if parts and len(flat) > 1 else who
        else:
            whom = _listed(flat, "and") if len(flat) <= _MAX_NAMED else "most of them" if parts else f"most {who}"
        again = f" ({counts.repeated:,} of these are the same molecule again)" if counts.repeated else ""
        parts.append(f"{counts.alike:,} molecules look the same to {whom} and have other targets{again}")
    sentences = ["; ".join(parts) + "."] if parts else []
    readers = [model for model, sight in sights.items() if sight == "SMILES"]
    if readers and (counts.marked or counts.alike > counts.repeated):
        verb = "reads" if len(readers) == 1 else "read"
        sentences.append(
            f"{_listed(readers, 'and')} {verb} the SMILES, which spell this: from the other models they differ in "
            "information, not only in bias."
        )
    return sentences


def _listed(names: list[str], word: str) -> str:
    """Join names as a sentence does: `a, b and c`."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
