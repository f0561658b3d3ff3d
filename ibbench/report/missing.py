"""What a study lacks, in words: what every view of it says first, and what one must know of seeds and sizes."""

from collections.abc import Iterator, Sequence
from typing import Any

from ibbench.compare.missing import MissingRun, count_missing, uneven_seeds, uneven_sizes
from ibbench.compare.study import Entry, Study

_MOST_RUNS = 5  # that people read; `ibbench status` lists all
_MOST_ROWS = 5


def tell_missing(study: Study, whole_path: bool = True) -> list[str]:
    """Say what is missing in a study, in the sentences that stand above all that is told of it; none if it is whole.

    Args:
        study: a study as read.
        whole_path: whether to name files as this command has found them, and not from the folder of the study on.
    """
    if not study.missing:
        return []
    told = f"{count_missing(study.missing, study.num_runs)} All figures are of the finished runs"
    damaged = [one.tell(whole_path) for one in study.missing if one.state == "unreadable"]
    waiting = [one for one in study.missing if one.state == "not finished"]
    named = [f"{one.run} ({one.note})" if one.note else one.run for one in waiting[:_MOST_RUNS]]
    more = [f"{len(waiting) - _MOST_RUNS} more (`ibbench status` lists them)"] if len(waiting) > _MOST_RUNS else []
    return [
        f"{told}, and no row is called the best where a missing one could be.",
        *damaged,
        *([f"Not finished: {', '.join([*named, *more])}."] if waiting else []),
    ]


def missing_content(missing: Sequence[MissingRun]) -> list[dict[str, Any]]:
    """Return what a program may want to know of missing runs, as JSON types."""
    return [
        {
            "run": one.run,
            "state": one.state,
            "note": one.tell(whole_path=False) if one.path else one.note,
            "targets": list(one.targets) if one.targets else None,
            "train_size": one.train_size,
        }
        for one in missing
    ]


def tell_seeds(entries: Sequence[Entry], unpaired: str = "") -> Iterator[str]:
    """Say which rows lack seeds that others have; nothing if none does.

    Args:
        entries: rows of trained models.
        unpaired: what it means for their comparison, as the rest of a sentence.
    """
    found = uneven_seeds(entries)
    if found:
        lacking = [
            f"{'seeds' if len(one.lacking) > 1 else 'seed'} {_listed(one.lacking)} of {one.row}, "
            f"{one.target} at {one.train_size:,}"
            for one in found
        ]
        yield f"Some rows have other seeds than others{unpaired}. Lacking: {_shortened(lacking)}."


def tell_sizes(entries: Sequence[Entry]) -> Iterator[str]:
    """Say which models were trained at fewer sizes than others; nothing if none was."""
    found = uneven_sizes(entries)
    if found:
        lacking = [f"{_listed(one.lacking)} of {one.row}, {one.target}" for one in found]
        yield f"Not every model was trained at every size. Lacking: {_shortened(lacking)}."


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(f"{number:,}" for number in numbers)


def _shortened(lines: list[str]) -> str:
    more = len(lines) - _MOST_ROWS
    return "; ".join([*lines[:_MOST_ROWS], *([f"and {more} rows more"] if more > 0 else [])])
