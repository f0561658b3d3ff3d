"""Names of entries for curves, ladders and pictures."""

from collections.abc import Iterable

from ibbench.compare.study import Entry, Group, Key, in_full


def name_entries(entries: Iterable[Entry]) -> dict[Key, tuple[str, str]]:
    """Return for each entry its full name, and the options that this name has in brackets.

    A model has the options of its variant in brackets. A rung of a ladder has its own name; if a study has several
    variants of one rung, such as two learning rates, the options in which these differ follow in brackets.
    """
    variants: dict[tuple[Group, str], list[str]] = {}
    entries = list(entries)
    for entry in entries:
        if entry.rung:
            variants.setdefault((entry.key.group, entry.rung.name), []).append(entry.key.variant)
    names = {}
    for entry in entries:
        key = entry.key
        if entry.rung:
            others = [set(variant.split()) for variant in variants[key.group, entry.rung.name]]
            shared = set.intersection(*others)
            rest = " ".join(word for word in key.variant.split() if word not in shared)
            names[key] = in_full(entry.rung.name, rest), rest
        else:
            names[key] = key.name, key.variant
    return names
