"""Where molecules come from. A source is a file of this folder whose class is registered under the file's name.

Nothing is fetched at run time. Neither this module nor the top of a source's file imports torch, pandas, pyarrow or
RDKit: training from a ready cache and writing tables do not need the packages that reading a source needs.
"""

from __future__ import annotations

import functools
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

import numpy as np

from ibbench.data.layout import Padding
from ibbench.data.targets import Target
from ibbench.errors import InputError, suggest
from ibbench.options.data import DataOptions
from ibbench.options.sources import WITH_CLIFFS, built_in_sources, set_taken, source_names
from ibbench.plugins.load import load_installed
from ibbench.plugins.registry import enter

if TYPE_CHECKING:
    from ibbench.data.molecules import Molecules


class Geometry(NamedTuple):
    """The atoms of M molecules in the order of their XYZ blocks, hydrogens included."""

    numbers: np.ndarray  # uint8 [A], atomic numbers
    coordinates: np.ndarray  # float32 [A, 3], angstrom
    molecule: np.ndarray  # int64 [A], ascending: which molecule an atom belongs to


class Fault(NamedTuple):
    """Why a row cannot be used: the faulty column, the text in it, and the reason in a few words."""

    row: int  # index of the row, from 0
    column: str
    value: str
    reason: str


class Rows(NamedTuple):
    """The M rows of a source: molecules as text, before their features are computed."""

    ids: np.ndarray  # int64 [M]; the number that the data set gives each molecule, or its row, counted from 1
    smiles: list[str]  # one molecule each; empty where missing
    values: np.ndarray  # float64 [M, T], in the units of the targets; NaN where missing
    geometry: Geometry | None = None  # None where the source has no coordinates
    lines: np.ndarray | None = None  # int64 [M]; the line of the file where a row begins, counted from 1; None for ids
    faults: tuple[Fault, ...] = ()  # the faults that the source itself has found
    parts: np.ndarray | None = (
        None  # uint8 [M]; the part of each row, a code of `PARTS`; None where the source has no parts
    )
    second: tuple[int, str] | None = None  # the first row of a second file, and the name of that file; None for one


class AtomRows(NamedTuple):
    """A value for each of A atoms of M molecules, hydrogens included."""

    geometry: Geometry
    values: np.ndarray  # float64 [A], in the unit of the target


class Source(ABC):
    """A data set before its molecules are packed into tensors.

    Options that belong to one source are marked in `DataOptions` by `OnlyFor(name)`.

    Attributes:
        name: the name that `data.source` takes, which is that of the source's file.
        packages: the Python packages that have the data, if their version matters: a cache made with another version
            is built again, and records note the version. RDKit, which all sources need, is not listed.
        fixed_targets: the targets by name, where they do not depend on the options.
        atom_targets: the targets of atoms by name, which `read_atoms` reads, and only where a run asks for them.
        keeps_repeats_together: whether a split keeps rows of the same molecule in one part, as it should.
        lacks_labels: whether a row may lack the values of some targets (NaN) and is used for the others all the same; a
            row that lacks all of them cannot be used.
        num_molecules: number of molecules, where that does not depend on the options; None otherwise.
        takes: options that belong to another source, such as `path`, and that this one takes, too. `identify` must
            return another text where they change the content.
        references: the papers to cite for its data, each with its https://doi.org/ address.
        options: the group `data` of the config.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    fixed_targets: ClassVar[Mapping[str, Target]] = {}
    atom_targets: ClassVar[Mapping[str, Target]] = {}
    keeps_repeats_together: ClassVar[bool] = True
    lacks_labels: ClassVar[bool] = False
    num_molecules: ClassVar[int | None] = None
    takes: ClassVar[frozenset[str]] = frozenset()
    references: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: DataOptions) -> None:
        self.options = options

    def identify(self) -> str:
        """Return a text that identifies the content: the name of the source, with `:` and a digest if options matter.

        Name and package versions identify the data of a source without such options.

        Raises:
            InputError: the content cannot be read.
        """
        return self.name

    def targets(self) -> tuple[Target, ...]:
        """Return the targets, in the order of the columns of `Rows.values`."""
        return tuple(self.fixed_targets.values())

    def padding(self) -> Padding | None:
        """Return the numbers of atoms and tokens that molecules are padded to; None if only reading tells them."""
        return None

    def location(self) -> str:
        """Return the name of the source in messages about its rows, such as the path of a file."""
        return self.name

    def smiles_column(self) -> str:
        """Return the name of the column of SMILES in messages."""
        return "SMILES"

    @classmethod
    def cliffs(cls, identity: str) -> np.ndarray:
        """Return which rows are of molecules on activity cliffs, bool `[M]`, of a source that marks them.

        Args:
            identity: the text that `identify` returned.

        Raises:
            InputError: the data are missing.
        """
        raise NotImplementedError

    @abstractmethod
    def read(self) -> Rows:
        """Read all rows.

        Raises:
            InputError: the data are missing, or do not have the expected form.
        """

    def read_atoms(self, target: str, ids: np.ndarray) -> AtomRows:
        """Read the values of a target of atoms.

        Args:
            target: a name of `atom_targets`.
            ids: the numbers of M molecules that the source has, int64 `[M]`.

        Raises:
            InputError: the data are missing.
            RuntimeError: the values are not what the target says.
        """
        raise NotImplementedError(f"{self.name} has no targets of atoms")

    def check(self, molecules: Molecules) -> None:  # noqa: B027 (most sources have nothing to check)
        """Check that the packed molecules have the features that this source is known to give.

        Raises:
            RuntimeError: a feature is missing, which is a mistake in the code that packed the molecules.
        """


S = TypeVar("S", bound=type[Source])
_SOURCES: dict[str, type[Source]] = {}


def register(name: str) -> Callable[[S], S]:
    """Return a decorator that registers a subclass of `Source` under `name`.

    Raises:
        InputError: the name is taken, or cannot be typed; the class is incomplete, or `takes` names an unknown option.
    """

    def add(source: S) -> S:
        enter("source", name, source, _SOURCES, built_in_sources)
        set_taken(name, source.takes)
        source.name = name
        return source

    return add


def get_source(name: str) -> type[Source]:
    """Return the class registered under `name`.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name not in _SOURCES:
        if name in built_in_sources():
            importlib.import_module(f"ibbench.data.sources.{name}")
        elif not load_installed("source", name):
            raise InputError(f"`data.source={name}` is not possible: {suggest(name, source_names())}")
    return _SOURCES[name]


def open_source(options: DataOptions) -> Source:
    """Return the source that the options choose; nothing is read yet."""
    return get_source(options.source)(options)


def known_sources() -> tuple[str, ...]:
    """List the sources of ibbench and of loaded plugins. Plugins that are only installed are left out.

    The functions below look up what a record says in these alone, so that reading a record executes no plugin.
    """
    return (*built_in_sources(), *_SOURCES)


def find_target(identity: str, name: str) -> Target | None:
    """Return a target of the source that a record names.

    Args:
        identity: the text that the source's `identify` returned when the record was made.
        name: the short name of the target.

    Returns:
        The target; None if the source is not known here, has no such target, or takes its targets from the options.
    """
    source = identity.partition(":")[0]
    if source not in known_sources():
        return None
    return {**get_source(source).fixed_targets, **get_source(source).atom_targets}.get(name)


def find_num_molecules(identity: str) -> int | None:
    """Return the number of molecules of the source that a record names.

    Args:
        identity: the text that the source's `identify` returned when the record was made.

    Returns:
        The number; None if the source is not known here, or the number depends on the options.
    """
    source = identity.partition(":")[0]
    return get_source(source).num_molecules if source in known_sources() else None


def find_references(identity: str) -> tuple[str, ...]:
    """Return the papers to cite for the data of the source that a record names.

    Args:
        identity: the text that the source's `identify` returned when the record was made.

    Returns:
        The papers; none if the source is not known here, or names no paper.
    """
    source = identity.partition(":")[0]
    return get_source(source).references if source in known_sources() else ()


def has_cliffs(identity: str) -> bool:
    """Whether the source that a record names marks molecules on activity cliffs; told without loading the source."""
    return identity.partition(":")[0] in WITH_CLIFFS


@functools.lru_cache(maxsize=64)
def _read_cliffs(identity: str) -> np.ndarray | None:
    try:
        return get_source(identity.partition(":")[0]).cliffs(identity)
    except InputError:
        return None


def find_cliffs(identity: str, ids: np.ndarray) -> np.ndarray | None:
    """Return whether molecules lie on activity cliffs, as the source that a record names marks them.

    Args:
        identity: the text that the source's `identify` returned when the record was made.
        ids: numbers that the source gives the molecules, int64 `[K]`.

    Returns:
        One flag per molecule, bool `[K]`; None if the source marks none, or its package is not installed.
    """
    marks = _read_cliffs(identity) if has_cliffs(identity) else None
    return None if marks is None or ids.max(initial=0) > len(marks) else marks[ids - 1]
