"""Which row of the old result and which row of the new one belong together in `ibbench diff`."""

from collections.abc import Callable
from typing import Any

from ibbench.compare.side import SideRow

_Keys = Callable[[SideRow], Any]
# What two rows must have in common to be matched, the strictest rule first; a rule that returns None does not apply.
_ALIGNMENTS: tuple[_Keys, ...] = (
    lambda row: row.place,
    # A variant is named after the options that differ within its study: the same options have another name in another
    # study. So options are compared where both rows have them.
    lambda row: (row.place._replace(variant=""), sorted(row.options.items(), key=str)) if row.options else None,
    lambda row: row.place._replace(variant=""),
    lambda row: row.place._replace(split=""),
    lambda row: row.place._replace(split="", source="", hydrogens=""),
    lambda row: row.place._replace(split="", source="", hydrogens="", unit=""),
)


def align_rows(
    old: list[SideRow], new: list[SideRow]
) -> tuple[list[tuple[SideRow, SideRow]], list[SideRow], list[SideRow]]:
    """Match the rows of two results that are about the same thing.

    Rows are matched first where model, variant, target, unit, train size, data source, hydrogens and split all agree.
    Rows that remain are then matched by fewer and fewer of these, such as without the split: `ibbench diff` can then
    say that the split has changed. A key that two rows of one result share matches neither of them.

    Args:
        old: rows of side A.
        new: rows of side B.

    Returns:
        The matched pairs (old, new), the rows that only `old` has, and the rows that only `new` has.
    """
    both: list[tuple[SideRow, SideRow]] = []
    matched: set[int] = set()
    for key_of in _ALIGNMENTS:
        left, right = _unique(old, key_of), _unique(new, key_of)
        for key in left:
            if key in right and matched.isdisjoint({id(left[key]), id(right[key])}):
                both.append((left[key], right[key]))
                matched |= {id(left[key]), id(right[key])}
    only_old, only_new = ([row for row in rows if id(row) not in matched] for rows in (old, new))
    return both, only_old, only_new


def _unique(rows: list[SideRow], key_of: _Keys) -> dict[str, SideRow]:
    """Return the rows whose key no other row has, by that key."""
    found: dict[str, list[SideRow]] = {}
    for row in rows:
        key = key_of(row)
        if key is not None:
            found.setdefault(repr(key), []).append(row)
    return {key: same[0] for key, same in found.items() if len(same) == 1}
