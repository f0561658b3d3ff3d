"""How molecules are divided into test, validation and train: at random, or so that test molecules are of another kind.

Every division is a function of the data set and of `data.split_seed`, and never divides the rows of one molecule.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER, ELEMENTS, HYDROGEN
from ibbench.data.scaffolds import load_scaffolds
from ibbench.errors import InputError
from ibbench.options.groups import DataOptions

TEST, VALIDATION, TRAIN, NOWHERE = range(4)
Parts = list[np.ndarray]  # indices of test, validation and train, int64, each in the drawn order


class Groups(NamedTuple):
    """Molecules that stay together, in the order of a draw.

    Attributes:
        of_row: for each of M rows the place of its group in the drawn order, int64 `[M]`.
        rows: for each of G groups, in that order, how many rows it has, int64 `[G]`.
    """

    of_row: np.ndarray
    rows: np.ndarray

    @classmethod
    def draw(cls, labels: np.ndarray, seed: int) -> "Groups":
        """Put the groups in a random order; rows with the same of the M `labels` are one."""
        _, group, count = np.unique(labels, return_inverse=True, return_counts=True)
        # RandomState's stream is frozen (NEP 19): the same seed gives the same order with every NumPy.
        order = np.random.RandomState(seed).permutation(len(count))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(place[group], count[order])

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest of the values of each group, `[G]`; there is one value per row, `[M]`."""
        found = np.full(len(self.rows), -np.inf)
        np.maximum.at(found, self.of_row, values)
        return found

    def fill(self, part_of: np.ndarray, part: int, room: int, candidates: np.ndarray) -> None:
        """Give groups that have no part yet to a part, in the order of `candidates`, if it has room for all their rows.

        Args:
            part_of: the part of each group, `[G]`; it changes in place.
            part: the part to be filled.
            room: how many rows it may have.
            candidates: places of groups.
        """
        for one in candidates[part_of[candidates] == TRAIN].tolist():
            if not room:
                return
            if self.rows[one] <= room:
                part_of[one] = part
                room -= int(self.rows[one])

    def divide(self, part_of: np.ndarray) -> Parts:
        """Return the rows of each part, in the drawn order."""
        drawn = np.argsort(self.of_row, kind="stable")
        return [drawn[part_of[self.of_row[drawn]] == part] for part in (TEST, VALIDATION, TRAIN)]


def divide_at_random(labels: np.ndarray, sizes: tuple[int, int], seed: int) -> Parts:
    """Divide at random: in the drawn order, a group goes to the first of test, validation and train with room for it.

    Args:
        labels: a number for each row, the same for rows of the same molecule, `[M]`.
        sizes: how many rows test and validate; the others train.
        seed: the seed of the draw.
    """
    groups = Groups.draw(labels, seed)
    part_of, everything = np.full(len(groups.rows), TRAIN), np.arange(len(groups.rows))
    groups.fill(part_of, TEST, sizes[0], everything)
    groups.fill(part_of, VALIDATION, sizes[1], everything)
    return groups.divide(part_of)


def _by_scaffold(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Keep molecules of one scaffold together.

    A scaffold of more molecules than half of a part does not go there, so that no part is one scaffold: the usual ones
    train, and the rare ones, in an order drawn by the seed, test and validate (as the `scaffold_balanced` split of
    Yang et al. 2019, J. Chem. Inf. Model. 59, 3370).
    """
    scaffolds = load_scaffolds(dataset)[labels]  # that of the first row of the same molecule
    groups = Groups.draw(scaffolds, options.split_seed)
    part_of = np.full(len(groups.rows), TRAIN)
    for part, size in zip((TEST, VALIDATION), sizes, strict=True):
        groups.fill(part_of, part, size, np.flatnonzero(groups.rows <= max(1, size // 2)))
    return groups.divide(part_of)


def _by_size(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on the molecules with the most heavy atoms."""
    heavy = (dataset.molecules.atoms[..., ATOMIC_NUMBER] > HYDROGEN).sum(1).numpy()
    return _test_on_largest(heavy, labels, sizes, options.split_seed)


def _by_target(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on the molecules with the largest values of a target."""
    assert options.split_target is not None  # the options see to it
    values = dataset.values[:, dataset.column(options.split_target)].numpy()
    return _test_on_largest(values, labels, sizes, options.split_seed)


def _test_on_largest(values: np.ndarray, labels: np.ndarray, sizes: tuple[int, int], seed: int) -> Parts:
    """Test on the rows with the largest values, ties in a drawn order; validate at random among the others."""
    groups = Groups.draw(labels, seed)
    part_of = np.full(len(groups.rows), TRAIN)
    groups.fill(part_of, TEST, sizes[0], np.argsort(-groups.largest(values), kind="stable"))
    groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
    return groups.divide(part_of)


def _by_element(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on molecules that have one of some elements; those of them that do not test are in no part.

    Raises:
        InputError: a symbol is no element, there are too few such molecules, or no others.
    """
    symbols = options.held_out or ()
    numbers = [_atomic_number(symbol) for symbol in symbols]
    atoms = dataset.molecules.atoms[..., ATOMIC_NUMBER].numpy()
    groups = Groups.draw(labels, options.split_seed)
    has = groups.largest(np.asarray(np.isin(atoms, numbers).any(axis=1))) > 0
    count = int(groups.rows[has].sum())
    if count < sizes[0] or has.all():
        what = "all" if has.all() else f"only {count:,}"
        raise InputError(
            f"data.split=element data.held_out=[{','.join(symbols)}] is not possible with data.test_size="
            f"{options.test_size}: {what} of the {len(dataset):,} molecules have such an atom"
        )
    part_of = np.full(len(groups.rows), TRAIN)
    groups.fill(part_of, TEST, sizes[0], np.flatnonzero(has))
    part_of[has & (part_of == TRAIN)] = NOWHERE
    groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
    return groups.divide(part_of)


def _atomic_number(symbol: str) -> int:
    if symbol in ELEMENTS:  # without RDKit, as from a ready cache on a machine that has none
        return ELEMENTS[symbol]
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = {table.GetElementSymbol(number): number for number in range(1, 119)}
    if symbol not in known:
        raise InputError(f"`data.held_out=[{symbol}]` is no element: expected symbols, such as F")
    return known[symbol]


def _by_column(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Divide as a column of the file says; where no row validates by it, `data.validation_size` train rows do.

    A molecule of which a row tests has its other rows in no part, and so has one that validates among those that train.
    """
    assert dataset.parts is not None  # the options see to it
    of_row = dataset.parts.numpy()
    groups = Groups.draw(labels, options.split_seed)
    part_of = np.full(len(groups.rows), TRAIN)
    for part in (VALIDATION, TEST):
        part_of[groups.of_row[of_row == part]] = part
    if not (of_row == VALIDATION).any():
        groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
        of_row = np.where(part_of[groups.of_row] == VALIDATION, VALIDATION, of_row)
    parts = groups.divide(part_of)
    return [rows[of_row[rows] == part] for part, rows in zip((TEST, VALIDATION, TRAIN), parts, strict=True)]


Divide = Callable[[DataSet, DataOptions, np.ndarray, tuple[int, int]], Parts]
DIVISIONS: dict[str, Divide] = {
    "random": lambda _dataset, options, labels, sizes: divide_at_random(labels, sizes, options.split_seed),
    "scaffold": _by_scaffold,
    "size": _by_size,
    "element": _by_element,
    "target_tail": _by_target,
    "column": _by_column,
}
