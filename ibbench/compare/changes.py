"""What differs between two results besides their errors: data, seeds, options, versions, devices."""

from collections.abc import Iterable
from typing import Any

from ibbench.compare.side import Side, SideRow


def moved(before: SideRow, after: SideRow) -> list[str]:
    """List the differences that forbid a comparison of two rows: another split, data source or kind of hydrogens.

    Returns:
        One text such as `hydrogens implicit → explicit` for each; empty if the rows can be compared.
    """
    fields = ("split", "source", "hydrogens")
    pairs = [(field, getattr(before.place, field), getattr(after.place, field)) for field in fields]
    return [f"{field} {old} → {new}" for field, old, new in pairs if old and new and old != new]


def changes(old: Side, new: Side, both: list[tuple[SideRow, SideRow]]) -> Iterable[str]:
    """Yield a sentence for each change between two sides.

    Args:
        old: side A.
        new: side B.
        both: matched rows, of A and of B.
    """
    for words in dict.fromkeys(words for pair in both for words in moved(*pair)):
        yield f"Changed: {words}. Such rows are not compared."
    yield from _changed_seeds(both)
    if old.provenance is None or new.provenance is None:
        unknown = " and ".join(side.name for side in (old, new) if side.provenance is None)
        yield f"Config and versions of {unknown} are unknown: a table without its study.json."
        return
    options: dict[str, list[str]] = {}
    for before, after in both:
        if before.options is not None and after.options is not None:
            for change in _changed_options(before.options, after.options):
                options.setdefault(change, []).append(after.place.model)
    trained = {after.place.model for _, after in both if after.options is not None}
    for change, models in options.items():
        named = "" if set(models) == trained else f" ({', '.join(dict.fromkeys(models))})"
        yield f"Config: {change}{named}."
    packages = dict.fromkeys([*old.provenance.versions, *new.provenance.versions])
    for package in packages:
        versions = [
            " or ".join(side.provenance.versions.get(package, ("unknown",))) for side in (old, new) if side.provenance
        ]
        if versions[0] != versions[1]:
            yield f"Version of {package}: {versions[0]} → {versions[1]}."
    devices = [", ".join(made_with.devices) for made_with in (old.provenance, new.provenance)]
    if devices[0] != devices[1]:
        yield f"Device: {devices[0]} → {devices[1]}."


def _changed_seeds(both: list[tuple[SideRow, SideRow]]) -> Iterable[str]:
    found: dict[str, list[str]] = {}
    for before, after in both:
        if before.sample and after.sample:
            old, new = (", ".join(map(str, side.sample.seeds)) for side in (before, after) if side.sample)
        else:
            old, new = str(before.num_seeds), str(after.num_seeds)
        if old != new:
            found.setdefault(f"Seeds: {old} → {new}", []).append(after.place.model)
    for change, models in found.items():
        yield f"{change} ({', '.join(dict.fromkeys(models))}). Such rows are compared unpaired."


def _changed_options(before: dict[str, Any], after: dict[str, Any]) -> Iterable[str]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield f"{key} {before.get(key, 'null')} → {after.get(key, 'null')}"
