"""What a study lacks, in words: missing runs, which every view names first, and missing seeds and train sizes."""

from collections.abc import Iterator, Sequence
from typing import Any

from ibbench.compare.missing import MissingRun, count_missing, uneven_seeds, uneven_sizes
from ibbench.compare.rows import Entry
from ibbench.compare.study import Study

_MOST_RUNS = 5  # runs that a sentence names; `ibbench status` lists all
_MOST_ROWS = 5  # rows that a sentence names


def tell_missing(study: Study, whole_path: bool = True) -> list[str]:
    """Say which runs of a study are missing, in sentences that stand above its tables; empty if none is missing.

    Args:
        study: a study as read.
        whole_path: whether to name files with their whole paths; if not, with their paths inside the study's folder.
    """
    untested = []
    if study.untested and study.entries:
        untested = [f"Without test molecules (data.test_size=0), so in no table: {', '.join(study.untested)}."]
    if not study.missing:
        return untested
    told = f"{count_missing(study.missing, study.num_runs)} All figures are of the finished runs"
    damaged = [one.tell(whole_path) for one in study.missing if one.state == "unreadable"]
    waiting = [one for one in study.missing if one.state == "not finished"]
    named = [f"{one.run} ({one.note})" if one.note else one.run for one in waiting[:_MOST_RUNS]]
    more = [f"{len(waiting) - _MOST_RUNS} more (`ibbench status` lists them)"] if len(waiting) > _MOST_RUNS else []
    return [
        f"{told}, and no row is called the best where a missing one could be.",
        *untested,
        *damaged,
        *([f"Not finished: {', '.join([*named, *more])}."] if waiting else []),
    ]


def missing_content(missing: Sequence[MissingRun]) -> list[dict[str, Any]]:
    """Return missing runs for programs, as JSON types."""
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
    """Yield a sentence about the rows that lack seeds which other rows have, if there are such rows.

    Args:
        entries: rows of trained models.
        unpaired: what this means for their comparison, as the end of a sentence.
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
    """Yield a sentence about the models that were trained at fewer sizes than others, if there are such models."""
    found = uneven_sizes(entries)
    if found:
        lacking = [f"{_listed(one.lacking)} of {one.row}, {one.target}" for one in found]
        yield f"Not every model was trained at every size. Lacking: {_shortened(lacking)}."


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(f"{number:,}" for number in numbers)


def _shortened(lines: list[str]) -> str:
    more = len(lines) - _MOST_ROWS
    return "; ".join([*lines[:_MOST_ROWS], *([f"and {more} rows more"] if more > 0 else [])])
