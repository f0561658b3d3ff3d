"""How often a data set holds the same molecule, and whether its labels then agree."""

from typing import NamedTuple

from ibbench.data.dataset import DataSet
from ibbench.data.sources import get_source


class Repeats(NamedTuple):
    """Counts over the molecules of a data set; two are the same if their `groups` are.

    Attributes:
        repeats: molecules that are the same as an earlier one.
        contradicting: how many different molecules, of those that are there more than once, have several values of a
            target.
    """

    repeats: int
    contradicting: int


def count_repeats(dataset: DataSet) -> Repeats:
    """Count the repeats in a data set."""
    groups = dataset.groups
    differs = (dataset.values != dataset.values[groups]).any(1)
    return Repeats(len(dataset) - len(groups.unique()), len(groups[differs].unique()))


def describe_repeats(counts: Repeats) -> str:
    """Say it in one sentence; nothing if there are none."""
    if not counts.repeats:
        return ""
    agree = "labels agree"
    if counts.contradicting:
        have = "molecule has" if counts.contradicting == 1 else "molecules have"
        agree = f"{counts.contradicting:,} {have} labels that contradict each other"
    return f"molecules that are an earlier one again, by canonical isomeric SMILES: {counts.repeats:,}; {agree}"


def warn_of_repeats(dataset: DataSet) -> str:
    """Say what of this one should know who trains on it; nothing where a split does not heed it."""
    if not get_source(dataset.source.partition(":")[0]).keeps_repeats_together:
        return ""
    said = describe_repeats(count_repeats(dataset))
    return f"{said[:1].upper()}{said[1:]}. A split keeps the same molecule in one part." if said else ""
