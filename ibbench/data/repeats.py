"""How often a data set holds the same molecule, and whether its labels then agree."""

from typing import NamedTuple

from ibbench.data.dataset import DataSet
from ibbench.data.sources import get_source


class Repeats(NamedTuple):
    """How often molecules of a data set occur again; two are the same molecule if their `groups` are equal.

    Attributes:
        repeats: the number of entries whose molecule an earlier entry has, too.
        contradicting: the number of molecules that occur more than once and have different values of a target.
    """

    repeats: int
    contradicting: int


def count_repeats(dataset: DataSet) -> Repeats:
    """Count the repeated molecules in a data set, and those whose labels contradict each other."""
    groups = dataset.groups
    differs = (dataset.values != dataset.values[groups]).any(1)
    return Repeats(len(dataset) - len(groups.unique()), len(groups[differs].unique()))


def describe_repeats(counts: Repeats) -> str:
    """Describe the repeats in one sentence; return an empty text if there are none."""
    if not counts.repeats:
        return ""
    agree = "labels agree"
    if counts.contradicting:
        have = "molecule has" if counts.contradicting == 1 else "molecules have"
        agree = f"{counts.contradicting:,} {have} labels that contradict each other"
    return f"molecules that are an earlier one again, by canonical isomeric SMILES: {counts.repeats:,}; {agree}"


def warn_of_repeats(dataset: DataSet) -> str:
    """Return a note on repeated molecules for whoever trains on the data set; an empty text if there are none.

    The text is also empty for a source whose repeated molecules a split need not keep in one part.
    """
    if not get_source(dataset.source.partition(":")[0]).keeps_repeats_together:
        return ""
    said = describe_repeats(count_repeats(dataset))
    return f"{said[:1].upper()}{said[1:]}. A split keeps the same molecule in one part." if said else ""
