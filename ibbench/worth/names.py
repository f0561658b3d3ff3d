"""Names of entries, data sets and splits for curves, ladders and pictures."""

from collections.abc import Iterable, Mapping
from typing import Any

from ibbench.compare.rows import Entry, Key, Section, in_full
from ibbench.options.sources import WITH_SPLIT

RANDOM = "random"
OWN = "own"  # the name of a split that comes with the data set
_OF_SPLIT = ("data.split", "data.held_out")  # beginnings of options that a split has


def name_entries(entries: Iterable[Entry]) -> dict[Key, tuple[str, str]]:
    """Return for each entry its full name, and the options that this name has in brackets.

    A model has the options of its variant in brackets. A rung of a ladder has its own name; if a study has several
    variants of one rung, such as two learning rates, the options in which these differ follow in brackets. Options of
    the split are left out where all entries of a section have them: that section is this split.
    """
    entries = list(entries)
    of_section: dict[Section, list[set[str]]] = {}
    of_rung: dict[tuple[Section, str, str, str], list[set[str]]] = {}
    for entry in entries:
        words = set(entry.key.variant.split())
        of_section.setdefault(entry.key.group.section, []).append(words)
        if entry.rung:
            of_rung.setdefault(_curve(entry.key, entry.rung.name), []).append(words)
    of_split = {
        section: {word for word in set.intersection(*variants) if word.startswith(_OF_SPLIT)}
        for section, variants in of_section.items()
    }
    names = {}
    for entry in entries:
        key, name, told = entry.key, entry.key.model, of_split[entry.key.group.section]
        if entry.rung:
            name, told = entry.rung.name, told | set.intersection(*of_rung[_curve(key, entry.rung.name)])
        rest = " ".join(word for word in key.variant.split() if word not in told)
        names[key] = in_full(name, rest), rest
    return names


def _curve(key: Key, rung: str) -> tuple[Section, str, str, str]:
    """Return what the points of one curve share, at whatever train size."""
    return key.group.section, key.group.target, key.group.unit, rung


def name_source(source: str) -> str:
    """Return the task of a source that has several, else the source, both without the bound on molecules.

    A file of a user keeps the digest of its content, which tells it from others.
    """
    name, _, parts = source.partition(":")
    if name == "csv":
        return source
    return next((part for part in parts.split(",") if part and "=" not in part), name)


def name_split(options: Mapping[str, Any]) -> str:
    """Return how test molecules were chosen, by `data.split`, or `own` where the data set has a split of its own."""
    kind = str(options.get("data.split", RANDOM))
    return OWN if kind == "column" and options.get("data.source") in WITH_SPLIT else kind
