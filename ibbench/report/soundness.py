"""Rows that support no claim, in words, and what was not measured to know it."""

from collections.abc import Iterator, Sequence

from ibbench.compare.rows import Entry
from ibbench.compare.soundness import find_faults, measure_doubling, rates_at_the_edge
from ibbench.report.cells import FAULTY

_MOST = 8  # rows that a sentence names


def tell_faults(entries: Sequence[Entry]) -> Iterator[str]:
    """Say which rows of a study support no claim, whether convergence was measured, and where a search was too narrow.

    Args:
        entries: all rows of the study, with its baselines.
    """
    trained = [entry for entry in entries if not entry.key.is_baseline]
    faults = find_faults(entries)
    if faults:
        told = [f"{_name(entry)}: {faults[entry.key]}" for entry in trained if entry.key in faults]
        more = [f"{len(told) - _MOST} more rows (table.csv has all)"] if len(told) > _MOST else []
        yield f"{FAULTY} supports no claim. {'. '.join([*told[:_MOST], *more])}."
    if trained and all(measure_doubling(entry.replicas) is None for entry in trained):
        yield "Whether these rows have converged was not measured: tuning=convergence does."
    edges = [(entry, edge) for entry in trained if (edge := rates_at_the_edge(entry))]
    for edge in ("lowest", "highest"):
        named = [_name(entry) for entry, at in edges if at == edge]
        if named:
            yield (
                f"Most seeds chose a learning rate from the {edge} part of the range, which is too narrow: "
                f"{', '.join(named[:_MOST])}{' and others' * (len(named) > _MOST)}."
            )


def _name(entry: Entry) -> str:
    group = entry.key.group
    return f"{entry.key.name} on {group.target} at {group.train_size:,}"
