"""The length of training at each train size of a learning curve, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ibbench.compare.rows import Entry, Section
from ibbench.worth.names import name_source, name_split


def tell_lengths(entries: Sequence[Entry]) -> str | None:
    """Say for how many steps or epochs each train size was trained, and where a data set or split had longer or less.

    Args:
        entries: rows of a table; baselines are left out.

    Returns:
        A sentence; None if all were trained equally long, or if rows of one data set, split and size differ (their
        variants then tell the length).
    """
    sections: dict[Section, list[Entry]] = {}
    for entry in entries:
        if not entry.key.is_baseline:
            sections.setdefault(entry.key.group.section, []).append(entry)
    lengths = {section: find_lengths(rows) for section, rows in sections.items()}
    if not all(lengths.values()):
        return None
    usual = {
        size: _most_often(lengths.values(), size) for size in sorted({size for of in lengths.values() for size in of})
    }
    found: dict[tuple[str, int], set[str]] = {}
    for section, of in lengths.items():
        where = f"{name_source(section.source)} ({name_split(sections[section][0].options)})"
        for size, length in of.items():
            found.setdefault((where, size), set()).add(length)
    if any(len(several) > 1 for several in found.values()):
        return None
    others = [f"{length} at {size:,} on {where}" for (where, size), (length,) in found.items() if length != usual[size]]
    if len(set(usual.values())) < 2 and not others:
        return None
    told = ", ".join(f"{length} at {size:,}" for size, length in usual.items())
    return f"Trained for {told} train molecules{''.join(f'; {other}' for other in others)}."


def _most_often(lengths: Iterable[dict[int, str]], size: int) -> str:
    return Counter(of[size] for of in lengths if size in of).most_common(1)[0][0]


def find_lengths(entries: Sequence[Entry]) -> dict[int, str]:
    """Return the length of training, such as `2,000 steps`, by train size; empty if a size has several, or none."""
    found: dict[int, set[str]] = {}
    for entry in entries:
        found.setdefault(entry.key.group.train_size, set()).add(_length(entry))
    if any(len(lengths) > 1 or "" in lengths for lengths in found.values()):
        return {}
    return {size: found[size].pop() for size in sorted(found)}


def _length(entry: Entry) -> str:
    for unit in ("steps", "epochs"):
        if (number := entry.options.get(f"trainer.{unit}")) is not None:
            return f"{number:,} {unit}"
    return ""
