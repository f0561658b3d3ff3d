"""Builds the arrays of a data set from the rows of its source; the cache then stores them."""

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ibbench.data import positions
from ibbench.data.cache import CacheError, check_lengths, store_texts
from ibbench.data.chunks import Graphs, read_graphs
from ibbench.data.featurize import Features, add_hydrogens
from ibbench.data.layout import MAX_ATOMS
from ibbench.data.sources import Fault, Geometry, Rows, Source
from ibbench.data.unseen import find_unseen
from ibbench.errors import shorten

_SIZE = re.compile(r"^it has [0-9,]+ atoms(?: with its hydrogens)?,")  # of a reason that differs from row to row
REJECTED_COLUMNS = {
    "line": "line of its file where the row begins, counted from 1; of QM9 the number of the molecule",
    "column": "the column with what is wrong; empty where it is the row itself",
    "value": "what stands there",
    "reason": "why it cannot be used",
}


class Built(NamedTuple):
    """A data set of M molecules, before it is written to the cache.

    Attributes:
        arrays: arrays by name, empty if no row can be used. `atoms`, `bonds`, `num_atoms`, `values`, `ids`, `groups`
            and the fields of `Unseen` are all `[M, ...]`, and so are `parts` if the source divides its rows itself, and
            `positions` if it has coordinates; the SMILES are the two arrays that `store_texts` makes.
        facts: `rows`, the number of rows of the source; `rejected`, how many of these cannot be used; `first_fault`,
            what is wrong with the first of them, in words; `reasons`, how many rows have each reason; `odd_bonds`, the
            number of bonds of each odd kind (see `Reading`).
        rejected: the text of a CSV that lists the rejected rows and their faults; empty if all rows can be used.
        leftovers: files that can be removed when the arrays are in the cache.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]
    rejected: str
    leftovers: tuple[Path, ...] = ()


def build(source: Source) -> Built:
    """Read a source and compute the features of its molecules.

    Raises:
        InputError: the source is missing or cannot be read.
        RuntimeError: the source gave arrays that do not fit together, or a bond is not symmetric: a mistake in the
            code of the source or in this file.
    """
    rows, hydrogens = source.read(), source.options.hydrogens
    _check_rows(rows, source)
    most, layout = source.options.max_atoms or MAX_ATOMS, source.options.layout
    reading = read_graphs(rows.smiles, hydrogens, most, layout)
    faults = _find_faults(rows, reading.refused, source)
    kept = np.ones(len(rows.ids), dtype=bool)
    kept[[fault.row for fault in faults]] = False
    odd_bonds: dict[str, int] = {}
    for molecule, kind in reading.odd_bonds:
        odd_bonds[kind] = odd_bonds.get(kind, 0) + int(kept[molecule])
    facts = {
        "rows": len(kept),
        "rejected": int((~kept).sum()),
        "first_fault": _describe(faults[0], rows) if faults else "",
        "reasons": _count_reasons(faults),
        "odd_bonds": {kind: count for kind, count in odd_bonds.items() if count},
    }
    arrays = _make_arrays(rows, reading, kept, hydrogens) if kept.any() else {}
    return Built(arrays, facts, _tabulate(faults, rows), reading.files)


def _check_rows(rows: Rows, source: Source) -> None:
    lengths = {"ids": len(rows.ids), "SMILES": len(rows.smiles), "values": len(rows.values)}
    lengths |= {name: len(part) for name in ("lines", "parts") if (part := getattr(rows, name)) is not None}
    if len(set(lengths.values())) > 1 or rows.values.shape[1:] != (len(source.targets()),):
        raise RuntimeError(f"the rows of {source.location()} do not fit together: {lengths}, {rows.values.shape}")


def _make_arrays(rows: Rows, reading: Graphs, kept: np.ndarray, hydrogens: str) -> dict[str, np.ndarray]:
    # A copy of large arrays, which is needed only where rows are left out.
    features = reading.features if kept.all() else Features(*(array[kept] for array in reading.features))
    smiles = [text for text, keep in zip(rows.smiles, kept, strict=True) if keep]
    groups = _index_repeats(reading.keys[kept])
    unseen = find_unseen(features, groups, reading.marks[kept], reading.colours[kept])
    coordinates = _coordinates(rows, features, kept, hydrogens)
    if hydrogens == "explicit":
        features = add_hydrogens(features)
    n = int(features.num_atoms.max())
    arrays = {
        "atoms": features.atoms[:, :n],
        "bonds": features.bonds[:, :n, :n],
        "num_atoms": features.num_atoms.astype(np.uint8),
        "values": rows.values[kept],
        "ids": rows.ids[kept].astype(np.int64),
        "groups": groups,
        **unseen._asdict(),
        **({} if rows.parts is None else {"parts": rows.parts[kept]}),
        **coordinates,
        **store_texts("smiles", smiles),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        check_lengths(arrays)
    except CacheError as error:
        raise RuntimeError(f"the data set that was built {error}") from None
    bonds = arrays["bonds"]
    if not np.array_equal(bonds, bonds.transpose(0, 2, 1)) or bonds[:, range(n), range(n)].any():
        raise RuntimeError("a bond of the data set that was built has a direction, or leads back to its atom")
    return arrays


def _coordinates(rows: Rows, features: Features, kept: np.ndarray, hydrogens: str) -> dict[str, np.ndarray]:
    """Return the array of coordinates of the kept rows, whose features with implicit hydrogens are given, if any."""
    geometry = rows.geometry
    if geometry is None:
        return {}
    if not kept.all():
        at = kept[geometry.molecule]
        renumbered = (np.cumsum(kept) - 1)[geometry.molecule[at]]
        geometry = Geometry(geometry.numbers[at], geometry.coordinates[at], renumbered)
    return {"positions": positions.assign_coordinates(features, geometry, hydrogens)}


def _index_repeats(keys: np.ndarray) -> np.ndarray:
    """Return for each molecule the index of the first one with the same keys, `[M, 2]`, int64 `[M]`."""
    order = np.lexsort(keys.T)  # stable: of the same molecule the first one stays first
    ordered = keys[order]
    begins = np.r_[True, (ordered[1:] != ordered[:-1]).any(1)]
    first = np.empty(len(keys), dtype=np.int64)
    first[order] = order[np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))]
    return first


def _find_faults(rows: Rows, refused: dict[int, str], source: Source) -> list[Fault]:
    """List the faults of all rows, in the order of the rows: those that the source found, and those found here."""
    column = source.smiles_column()
    known = {(fault.row, fault.column) for fault in rows.faults}
    faults = list(rows.faults)
    for row, reason in refused.items():
        if not {(row, column), (row, "")} & known:
            faults.append(Fault(row, column, rows.smiles[row], reason))
    with_fault = {fault.row for fault in rows.faults}
    unusable = ~np.isfinite(rows.values)
    if source.lacks_labels:
        missing = np.isnan(rows.values)
        unusable &= ~missing | missing.all(1)[:, None]
    for row, place in np.argwhere(unusable).tolist():
        if row not in with_fault:
            faults.append(Fault(row, source.targets()[place].name, str(rows.values[row, place]), "it is no number"))
    if rows.second:
        start, name = rows.second
        faults = [one._replace(reason=f"{one.reason} (in {name})") if one.row >= start else one for one in faults]
    return sorted(faults, key=lambda fault: fault.row)


def _describe(fault: Fault, rows: Rows) -> str:
    where = f", column {fault.column}" if fault.column else ""
    value = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in shorten(fault.value))
    return f"line {_line(fault, rows)}{where}, `{value}`: {fault.reason}"


def _count_reasons(faults: list[Fault]) -> dict[str, int]:
    """Count the rows by what is wrong with them; a row with several faults counts once."""
    first = {fault.row: fault for fault in reversed(faults)}
    counts = Counter(_SIZE.sub("it has too many atoms,", fault.reason) for fault in first.values())
    return dict(counts)


def _line(fault: Fault, rows: Rows) -> int:
    return int((rows.ids if rows.lines is None else rows.lines)[fault.row])


def _tabulate(faults: list[Fault], rows: Rows) -> str:
    if not faults:
        return ""
    text = io.StringIO()
    table = csv.writer(text)  # with its own `\r\n` for an end: else it leaves a lone `\r` in a cell without quotes
    table.writerow(REJECTED_COLUMNS)
    table.writerows([_line(fault, rows), fault.column, fault.value, fault.reason] for fault in faults)
    return text.getvalue()
