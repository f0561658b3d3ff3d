"""The length of training at each train size of a learning curve, in words."""

from collections.abc import Sequence

from ibbench.compare.study import Entry


def tell_lengths(entries: Sequence[Entry]) -> str | None:
    """Say for how many steps or epochs each train size was trained.

    Args:
        entries: rows of trained models.

    Returns:
        A sentence; None if all were trained equally long, or if rows of the same size differ (their variants then tell
        the length).
    """
    lengths = find_lengths(entries)
    if len(set(lengths.values())) < 2:
        return None
    return f"Trained for {', '.join(f'{length} at {size:,}' for size, length in lengths.items())} train molecules."


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
