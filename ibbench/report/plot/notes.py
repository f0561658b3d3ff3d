"""Places for notes at the atoms of a drawn molecule, chosen so that no bond crosses them, as it often does in RDKit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AWAY = 15.0  # pixels from an atom to the nearest edge of its note
_LETTER_WIDTH = 5.6  # pixels
_NUM_DIRECTIONS = 24  # around an atom, in which its note is tried


def place_notes(molecule: Any, places: Floats, notes: Sequence[str], width: float) -> Floats:
    """Return the place of the middle of each note, in pixels, `[n, 2]`.

    A note is tried in 24 directions around its atom, and placed where it is farthest from bonds, letters of atoms, and
    notes that are placed already.

    Args:
        molecule: the molecule of RDKit, with n atoms.
        places: places of the atoms on the picture, in pixels, `[n, 2]`.
        notes: the note of each atom.
        width: width of the picture, in pixels, within which notes are placed.
    """
    obstacles = [*places, *_along_bonds(molecule, places), *_attached_letters(molecule, places)]
    done: list[Floats] = []
    for atom, note in enumerate(notes):
        half = _LETTER_WIDTH * len(note) / 2
        angles = 2 * math.pi * np.arange(_NUM_DIRECTIONS) / _NUM_DIRECTIONS
        directions = np.stack([np.cos(angles), np.sin(angles)], 1)
        middles = places[atom] + directions * (_AWAY + half * np.abs(directions[:, :1]) ** 2)
        around = np.array(obstacles + done)
        apart = np.abs(middles[:, None] - around)
        apart[..., 0] = np.maximum(0, apart[..., 0] - half)  # horizontal distance to the nearest letter of the note
        nearest = np.hypot(apart[..., 0], apart[..., 1]).min(1)
        inside = (middles[:, 0] > half) & (middles[:, 0] < width - half)
        best = middles[int(np.argmax(np.minimum(nearest, _AWAY) * inside))]
        shifts = (-half, 0.0, half)
        done += [best + np.array([shift, 0.0]) for shift in shifts]
    return np.array(done[1::3])


def _along_bonds(molecule: Any, places: Floats) -> list[Floats]:
    parts = np.linspace(0, 1, 9)[1:-1, None]
    return [
        point
        for bond in molecule.GetBonds()
        for point in (1 - parts) * places[bond.GetBeginAtomIdx()] + parts * places[bond.GetEndAtomIdx()]
    ]


def _attached_letters(molecule: Any, places: Floats) -> list[Floats]:
    """Return the places of the hydrogens in the labels of atoms, which RDKit writes on the side without bonds."""
    found = []
    for atom in molecule.GetAtoms():
        near = [places[other.GetIdx()] for other in atom.GetNeighbors()]
        if atom.GetAtomicNum() == 6 or not atom.GetTotalNumHs() or not near:
            continue
        place = places[atom.GetIdx()]
        away = place - np.mean(near, axis=0)
        sideways = len(near) == 1 or abs(away[0]) > abs(away[1])
        step = np.array([np.sign(away[0] or 1.0), 0.0]) if sideways else np.array([0.0, np.sign(away[1] or 1.0)])
        found += [place + 14 * step, place + 24 * step]
    return found
