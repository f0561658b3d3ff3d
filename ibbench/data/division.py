"""How molecules are divided into test, validation and train: at random, or so that test molecules are of another kind.

Every division depends on the data set and the options of the split alone. Rows with the same label, which are mostly
those of the same molecule, are never in different parts.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER, ELEMENTS, HYDROGEN
from ibbench.data.scaffolds import load_scaffolds
from ibbench.errors import InputError
from ibbench.options.data import DataOptions

TEST, VALIDATION, TRAIN, NOWHERE = range(4)  # codes of the parts; a group that is in none of them is nowhere
Parts = list[np.ndarray]  # indices of test, validation and train, int64, each in the random order of the groups


class DrawnGroups(NamedTuple):
    """Groups of rows that stay together when a data set is divided, in a random order.

    Attributes:
        of_row: the place in the random order of the group of each of M rows, int64 `[M]`.
        rows: the number of rows of each of G groups, in the random order, int64 `[G]`.
    """

    of_row: np.ndarray
    rows: np.ndarray

    @classmethod
    def draw(cls, labels: np.ndarray, seed: int) -> "DrawnGroups":
        """Make each set of rows with equal labels a group, and draw the order of the groups.

        Args:
            labels: a whole number for each row, `[M]`.
            seed: the seed of the draw.
        """
        _, group, count = np.unique(labels, return_inverse=True, return_counts=True)
        # RandomState's stream is frozen (NEP 19): the same seed gives the same order with every NumPy.
        order = np.random.RandomState(seed).permutation(len(count))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(place[group], count[order])

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest value in each group, float64 `[G]`, given the value of each row, `[M]`."""
        found = np.full(len(self.rows), -np.inf)
        np.maximum.at(found, self.of_row, values)
        return found

    def fill(self, part_of: np.ndarray, part: int, room: int, candidates: np.ndarray) -> None:
        """Move groups from train to another part, in the order of `candidates`, where all rows of a group fit.

        Args:
            part_of: the part of each group, int64 `[G]`, changed in place; all groups begin in train.
            part: the part to fill.
            room: how many rows the part may get.
            candidates: places of the groups to try, in the random order; those that are not in train are skipped.
        """
        for one in candidates[part_of[candidates] == TRAIN].tolist():
            if not room:
                return
            if self.rows[one] <= room:
                part_of[one] = part
                room -= int(self.rows[one])

    def divide(self, part_of: np.ndarray) -> Parts:
        """Return the rows of each part, in the random order, given the part of each group, int64 `[G]`."""
        drawn = np.argsort(self.of_row, kind="stable")
        return [drawn[part_of[self.of_row[drawn]] == part] for part in (TEST, VALIDATION, TRAIN)]


def divide_at_random(labels: np.ndarray, sizes: tuple[int, int], seed: int) -> Parts:
    """Divide at random: each group, in turn, goes to the first of test, validation and train that has room for it.

    Args:
        labels: a whole number for each row, equal for rows of the same molecule, `[M]`.
        sizes: the numbers of test and of validation rows; all other rows train.
        seed: the seed of the draw.
    """
    groups = DrawnGroups.draw(labels, seed)
    part_of, everything = np.full(len(groups.rows), TRAIN), np.arange(len(groups.rows))
    groups.fill(part_of, TEST, sizes[0], everything)
    groups.fill(part_of, VALIDATION, sizes[1], everything)
    return groups.divide(part_of)


def _by_scaffold(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Keep molecules of one scaffold together.

    A scaffold with more molecules than half of a part is not put there, so that no part has one scaffold only. So
    common scaffolds train, and rare ones, in a random order, test and validate (as in the `scaffold_balanced` split
    of Yang et al. 2019, J. Chem. Inf. Model. 59, 3370).
    """
    scaffolds = load_scaffolds(dataset)[labels]  # all rows of a molecule get the scaffold of the first
    groups = DrawnGroups.draw(scaffolds, options.split_seed)
    part_of = np.full(len(groups.rows), TRAIN)
    for part, size in zip((TEST, VALIDATION), sizes, strict=True):
        groups.fill(part_of, part, size, np.flatnonzero(groups.rows <= max(1, size // 2)))
    return groups.divide(part_of)


def _by_size(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on the molecules with the most heavy atoms."""
    heavy = (dataset.molecules.atoms[..., ATOMIC_NUMBER] > HYDROGEN).sum(1).numpy()
    return _test_on_largest(heavy, labels, sizes, options.split_seed)


def _by_target(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on the molecules with the largest values of a target; those without a value come last."""
    assert options.split_target is not None  # the options' own checks make sure of this
    values = dataset.values[:, dataset.column(options.split_target)].nan_to_num(nan=-torch.inf).numpy()
    return _test_on_largest(values, labels, sizes, options.split_seed)


def _test_on_largest(values: np.ndarray, labels: np.ndarray, sizes: tuple[int, int], seed: int) -> Parts:
    """Test on the rows with the largest values, ties in a random order; validate at random among the others."""
    groups = DrawnGroups.draw(labels, seed)
    part_of = np.full(len(groups.rows), TRAIN)
    groups.fill(part_of, TEST, sizes[0], np.argsort(-groups.largest(values), kind="stable"))
    groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
    return groups.divide(part_of)


def _by_element(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Test on molecules that have an atom of the elements in `data.held_out`.

    Further molecules with such an atom, if there are more than the test needs, are in no part.

    Raises:
        InputError: a symbol is not an element, too few molecules have such an atom, or all have.
    """
    symbols = options.held_out or ()
    numbers = [_atomic_number(symbol) for symbol in symbols]
    atoms = dataset.molecules.atoms[..., ATOMIC_NUMBER].numpy()
    groups = DrawnGroups.draw(labels, options.split_seed)
    has = groups.largest(np.asarray(np.isin(atoms, numbers).any(axis=1))) > 0
    count = int(groups.rows[has].sum())
    if count < sizes[0] or has.all():
        what = "all" if has.all() else f"only {count:,}"
        raise InputError(
            f"data.split=element with {', '.join(symbols)} in data.held_out is not possible with data.test_size="
            f"{options.test_size}: {what} of the {len(dataset):,} molecules have such an atom"
        )
    part_of = np.full(len(groups.rows), TRAIN)
    groups.fill(part_of, TEST, sizes[0], np.flatnonzero(has))
    part_of[has & (part_of == TRAIN)] = NOWHERE
    groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
    return groups.divide(part_of)


def _atomic_number(symbol: str) -> int:
    if symbol in ELEMENTS:  # needs no RDKit, which a machine with a ready cache may lack
        return ELEMENTS[symbol]
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = {table.GetElementSymbol(number): number for number in range(1, 119)}
    if symbol not in known:
        raise InputError(f"data.held_out has `{symbol}`, which is no element: expected symbols, such as F")
    return known[symbol]


def _by_column(dataset: DataSet, options: DataOptions, labels: np.ndarray, sizes: tuple[int, int]) -> Parts:
    """Divide as the source says, by a column or by two files; without validation rows, draw them from the train rows.

    Where the source puts rows of one molecule in several parts, only those in test are kept, or, if there are none,
    those in validation; the molecule's other rows are in no part.
    """
    assert dataset.parts is not None  # the options' own checks make sure of this
    of_row = dataset.parts.numpy()
    groups = DrawnGroups.draw(labels, options.split_seed)
    part_of = np.full(len(groups.rows), TRAIN)
    for part in (VALIDATION, TEST):
        part_of[groups.of_row[of_row == part]] = part
    if not (of_row == VALIDATION).any():
        groups.fill(part_of, VALIDATION, sizes[1], np.arange(len(groups.rows)))
        of_row = np.where(part_of[groups.of_row] == VALIDATION, VALIDATION, of_row)
    parts = groups.divide(part_of)
    return [rows[of_row[rows] == part] for part, rows in zip((TEST, VALIDATION, TRAIN), parts, strict=True)]


OF_SOURCE = {"column", "file"}  # splits whose test molecules are those that the source names
Divide = Callable[[DataSet, DataOptions, np.ndarray, tuple[int, int]], Parts]
DIVISIONS: dict[str, Divide] = {
    "random": lambda _dataset, options, labels, sizes: divide_at_random(labels, sizes, options.split_seed),
    "scaffold": _by_scaffold,
    "size": _by_size,
    "element": _by_element,
    "target_tail": _by_target,
    "column": _by_column,
    "file": _by_column,
}
