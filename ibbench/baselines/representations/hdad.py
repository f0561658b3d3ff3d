"""Histograms of distances, angles and dihedral angles between atoms of given elements: HDAD."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.representations import Limits, RepresentationBase, Shown
from ibbench.data.layout import HYDROGEN

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet

_DISTANCE, _FARTHEST = 0.2, 12.0  # angstrom: between two places of a histogram; what is farther counts there
_ANGLE, _DIHEDRAL = 12.0, 30.0  # degrees between two places
_BONDED = 1.25  # times the sum of the covalent radii: atoms that are nearer are neighbours
_STRAIGHT = 175.0  # degrees; around an angle above, no dihedral angle is defined
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Found(NamedTuple):
    """Distances or angles of molecules: k of them.

    Attributes:
        molecule: place of the molecule that it is in, `[k]`.
        chain: places of the two to four elements it lies between in the list of elements, one array `[k]` each.
        value: the distance in angstrom, or the angle in degrees, `[k]`.
    """

    molecule: Integers
    chain: tuple[Integers, ...]
    value: Floats


class Representation(RepresentationBase):
    """Histograms for each pair, triple and chain of four elements (after Faber et al. 2017, arXiv:1702.05532).

    Distances are those between all pairs of atoms; angles lie between two neighbours of an atom, and dihedral angles
    between the ends of three bonds in a row, without their sign. Each is shared by the two nearest places of its
    histogram, in inverse proportion to its distance from them, so that no small move makes a step.
    """

    reads = "geometry"
    most_elements = 8

    @classmethod
    def measure(cls, dataset: DataSet) -> Limits:
        """Return the elements."""
        return {"elements": dataset.composition()[1]}

    def find_too_large(self, shown: Shown) -> NDArray[np.bool_]:
        """Return which molecules have an element without columns, bool `[n]`."""
        return np.asarray((~np.isin(shown.numbers, [0, *self.limits["elements"]])).any(1))

    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the histograms one after another, float32 `[n, p]`."""
        elements, places = self.limits["elements"], shown.positions.astype(np.float64)
        code = np.searchsorted(elements, shown.numbers)
        apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
        exists = shown.numbers > 0
        both = exists[:, :, None] & exists[:, None]
        radii = _radii(shown.numbers)
        bonded = both & (apart < _BONDED * (radii[:, :, None] + radii[:, None])) & ~np.eye(both.shape[1], dtype=bool)
        parts = (
            (_distances(apart, both, code), _kinds(elements, 2), _DISTANCE, _FARTHEST),
            (_angles(places, bonded, code), _kinds(elements, 3), _ANGLE, 180.0),
            (_dihedrals(places, bonded, code), _kinds(elements, 4), _DIHEDRAL, 180.0),
        )
        return np.concatenate([_count(len(code), *part) for part in parts], axis=1)


def _radii(numbers: NDArray[Any]) -> Floats:
    """Return the covalent radii of atoms in angstrom, of the same shape as their atomic numbers."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    found = np.zeros(256)
    for number in np.unique(numbers[numbers > 0]).tolist():
        found[number] = table.GetRcovalent(number)
    return found[numbers]


def _kinds(elements: list[int], length: int) -> NDArray[np.int64]:
    """Number the chains of some elements, `[E, ...]`: a chain and its reverse have one number; -1 for no chain.

    Hydrogen stands at the ends only, since it has one neighbour.
    """
    numbers = np.full((len(elements),) * length, -1)
    count = itertools.count()
    for chain in itertools.product(range(len(elements)), repeat=length):
        if HYDROGEN not in [elements[one] for one in chain[1:-1]] and numbers[chain] < 0:
            numbers[chain] = numbers[chain[::-1]] = next(count)
    return numbers


def _chain(code: Integers, molecule: Integers, *atoms: Integers) -> tuple[Integers, ...]:
    return tuple(code[molecule, atom] for atom in atoms)


def _count(molecules: int, found: _Found, kinds: Integers, step: float, most: float) -> NDArray[np.float32]:
    """Return the histograms of all kinds of chain side by side, float32 `[n, p]`, with a place every `step`."""
    places = round(most / step) + 1
    width = places * (int(kinds.max()) + 1)
    exact = np.minimum(found.value, most) / step
    lower = np.minimum(exact.astype(np.int64), places - 2)
    first = found.molecule * width + kinds[found.chain] * places + lower
    counts = np.zeros(molecules * width)
    for place, share in ((first, 1 - (exact - lower)), (first + 1, exact - lower)):
        counts += np.bincount(place, share, len(counts))
    return counts.reshape(molecules, width).astype(np.float32)


def _distances(apart: Floats, both: NDArray[np.bool_], code: Integers) -> _Found:
    molecule, first, second = np.nonzero(np.triu(both, 1))
    return _Found(molecule, _chain(code, molecule, first, second), apart[molecule, first, second])


def _angles(places: Floats, bonded: NDArray[np.bool_], code: Integers) -> _Found:
    pairs = bonded[:, :, :, None] & bonded[:, :, None, :]
    molecule, centre, first, second = np.nonzero(np.triu(pairs, 1))
    middle = places[molecule, centre]
    angles = _angle(places[molecule, first] - middle, places[molecule, second] - middle)
    return _Found(molecule, _chain(code, molecule, first, centre, second), angles)


def _dihedrals(places: Floats, bonded: NDArray[np.bool_], code: Integers) -> _Found:
    of, left, right = np.nonzero(np.triu(bonded, 1))
    row, first, last = np.nonzero(bonded[of, left][:, :, None] & bonded[of, right][:, None, :])
    molecule, second, third = of[row], left[row], right[row]
    a, b, c, d = (places[molecule, atom] for atom in (first, second, third, last))
    possible = (first != third) & (last != second) & (first != last)
    possible &= (_angle(a - b, c - b) < _STRAIGHT) & (_angle(b - c, d - c) < _STRAIGHT)
    angles = _angle(np.cross(a - b, c - b), np.cross(b - c, d - c))
    chain = _chain(code, molecule, first, second, third, last)
    return _Found(molecule[possible], tuple(part[possible] for part in chain), angles[possible])


def _angle(one: Floats, other: Floats) -> Floats:
    """Return the angles between vectors in degrees, 0 to 180, `[k]`; 0 where a vector has no length."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosine = np.divide((one * other).sum(1), lengths, out=np.ones_like(lengths), where=lengths > 0)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
