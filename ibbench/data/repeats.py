"""How often a data set holds the same molecule, and whether its labels then agree."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch

from ibbench.data.dataset import DataSet
from ibbench.data.sources import get_source

_MOST_TARGETS = 5  # a sentence about contradicting labels names as many


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
    return Repeats(len(dataset) - len(groups.unique()), int(_find_contradicting(dataset).any(1).sum()))


def count_contradicting(dataset: DataSet) -> dict[str, int]:
    """Count the molecules that have different labels of a target, for each target of which there are any."""
    counts = _find_contradicting(dataset).sum(0).tolist()
    return {target.name: count for target, count in zip(dataset.targets, counts, strict=True) if count}


def _find_contradicting(dataset: DataSet) -> torch.Tensor:
    """Return whether rows of a molecule have different labels of each target, bool `[M, T]`, at its first row."""
    groups = dataset.groups
    lowest, highest = torch.full_like(dataset.values, torch.inf), torch.full_like(dataset.values, -torch.inf)
    index = groups[:, None].expand_as(dataset.values)
    # Labels that are missing contradict no other: they are neither the lowest nor the highest of their molecule.
    lowest.scatter_reduce_(0, index, dataset.values.nan_to_num(nan=torch.inf), "amin")
    highest.scatter_reduce_(0, index, dataset.values.nan_to_num(nan=-torch.inf), "amax")
    return highest > lowest


def describe_labels(dataset: DataSet) -> str:
    """Say how many molecules have a label of each target that some lack; return an empty text if none is missing."""
    has = (~dataset.values.isnan()).sum(0).tolist()
    lacking = [f"{target.name} {count:,}" for target, count in zip(dataset.targets, has, strict=True)]
    lacking = [text for text, count in zip(lacking, has, strict=True) if count < len(dataset)]
    return f"labels: of {len(dataset):,} molecules have one: {', '.join(lacking)}" if lacking else ""


def describe_repeats(counts: Repeats, by_target: Mapping[str, int] = MappingProxyType({})) -> str:
    """Describe the repeats in one sentence; return an empty text if there are none.

    Args:
        counts: the counts of `count_repeats`.
        by_target: those of `count_contradicting`; told if there are several targets, and not more than `_MOST_TARGETS`.
    """
    if not counts.repeats:
        return ""
    agree = "labels agree"
    if counts.contradicting:
        have = "molecule has" if counts.contradicting == 1 else "molecules have"
        agree = f"{counts.contradicting:,} {have} labels that contradict each other"
        if 1 < len(by_target) <= _MOST_TARGETS:
            agree += f" ({', '.join(f'{name} {count:,}' for name, count in by_target.items())})"
    return f"molecules that are an earlier one again, by canonical isomeric SMILES: {counts.repeats:,}; {agree}"


def warn_of_repeats(dataset: DataSet) -> str:
    """Return a note on repeated molecules for whoever trains on the data set; an empty text if there are none.

    The text is also empty for a source whose repeated molecules a split need not keep in one part.
    """
    if not get_source(dataset.source.partition(":")[0]).keeps_repeats_together:
        return ""
    said = describe_repeats(count_repeats(dataset), count_contradicting(dataset))
    return f"{said[:1].upper()}{said[1:]}. A split keeps the same molecule in one part." if said else ""
