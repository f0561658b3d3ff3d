"""Which row of one side is which of the other."""

from collections.abc import Callable
from typing import Any

from ibbench.compare.side import SideRow

_Keys = Callable[[SideRow], Any]
_ALIGNMENTS: tuple[_Keys, ...] = (
    lambda row: row.place,
    # A variant is named by what differs within its study; with another run beside it, it has another name.
    lambda row: (row.place._replace(variant=""), sorted(row.options.items(), key=str)) if row.options else None,
    lambda row: row.place._replace(variant=""),
    lambda row: row.place._replace(split=""),
    lambda row: row.place._replace(split="", source="", hydrogens=""),
    lambda row: row.place._replace(split="", source="", hydrogens="", unit=""),
)


def align(old: list[SideRow], new: list[SideRow]) -> tuple[list[tuple[SideRow, SideRow]], list[SideRow], list[SideRow]]:
    """Match rows by what they are about; what is then left, by less and less of it, where that is unique on a side.

    Returns:
        The matched pairs, the rows that only `old` has, and those that only `new` has.
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
    found: dict[str, list[SideRow]] = {}
    for row in rows:
        key = key_of(row)
        if key is not None:
            found.setdefault(repr(key), []).append(row)
    return {key: same[0] for key, same in found.items() if len(same) == 1}
