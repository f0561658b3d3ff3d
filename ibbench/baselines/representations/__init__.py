"""Molecules as vectors of fixed length, which no training has chosen: summaries made by hand.

A representation is a file of this folder with a class `Representation` in it. Neither this module nor the top of such a
file imports torch, RDKit or scikit-learn: the names are needed where nothing is computed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet


Limits = dict[str, Any]  # what decides the length of vectors, of JSON types


_NONE = np.empty((0, 0, 0))


class Shown(NamedTuple):
    """What a representation is computed from: n molecules, as texts, in space or as graphs. Parts may be empty.

    Attributes:
        smiles: n SMILES.
        numbers: atomic numbers of all atoms, hydrogens among them, uint8 `[n, N]`; 0 where there is no atom.
        positions: coordinates of these atoms in angstrom, float32 `[n, N, 3]`.
        atoms: features of the atoms that models are shown, in the order of the data set, uint8 `[n, N, F]`; 0 where
            there is no atom.
        bonds: codes of the bonds between these atoms, uint8 `[n, N, N]`, see `Molecules.bonds`.
    """

    smiles: list[str]
    numbers: NDArray[Any] = _NONE
    positions: NDArray[Any] = _NONE
    atoms: NDArray[Any] = _NONE
    bonds: NDArray[Any] = _NONE

    @property
    def num_molecules(self) -> int:
        """The number of molecules, n."""
        return len(self.smiles) or len(self.numbers) or len(self.atoms)

    def select(self, places: NDArray[np.int64]) -> Shown:
        """Return the molecules at some places."""
        arrays = {name: part[places] for name, part in self._asdict().items() if name != "smiles" and len(part)}
        return self._replace(smiles=[self.smiles[place] for place in places.tolist()] if self.smiles else [], **arrays)


class RepresentationBase(ABC):
    """Turns molecules into vectors of p numbers.

    Attributes:
        reads: whether it is computed from SMILES, the coordinates of all atoms, or the graphs that models read.
        version: a number to raise when the vectors change: older ones in the cache are then computed again.
        standardised: whether each column is centred and divided by its standard deviation over the train molecules,
            as columns of different units need. If not, the vectors are used as they are.
        most_elements: the largest number of elements that it has columns for; None for any number.

    Args:
        limits: result of `measure`, for the molecules that regressions are fitted to.
    """

    reads: ClassVar[Literal["smiles", "geometry", "graph"]]
    version: ClassVar[int] = 1
    standardised: ClassVar[bool] = False
    most_elements: ClassVar[int | None] = None

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    @classmethod
    def measure(cls, dataset: DataSet) -> Limits:  # noqa: ARG003 (most vectors have one length for all data sets)
        """Return what decides the length of the vectors, such as the largest number of atoms in a data set."""
        return {}

    def find_too_large(self, shown: Shown) -> NDArray[np.bool_]:
        """Return which molecules do not fit into the vectors, bool `[n]`, such as those with too many atoms."""
        return np.zeros(shown.num_molecules, dtype=bool)

    @abstractmethod
    def compute(self, shown: Shown) -> NDArray[Any]:
        """Return the vectors of n molecules, `[n, p]`: uint8 if they are counts, float32 if not.

        Args:
            shown: the molecules; each can be read by RDKit, or has all its coordinates. None is too large.
        """


@functools.cache
def representation_names() -> tuple[str, ...]:
    """List the representations, which are the files of this folder, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def get_representation(name: str) -> type[RepresentationBase]:
    """Return the class in the file of this name, one of `representation_names`."""
    module = importlib.import_module(f"ibbench.baselines.representations.{name}")
    found: type[RepresentationBase] = module.Representation
    return found


def as_counts(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return counts as uint8; a count above 255 is 255."""
    return np.minimum(values, 255).astype(np.uint8)
