"""The differences between two results, in words."""

import collections
from collections.abc import Iterator
from typing import Any

from ibbench.compare.diff import Diff, DiffRow, diff_table
from ibbench.compare.missing import count_missing
from ibbench.compare.rows import in_full
from ibbench.compare.side import Side, SideRow
from ibbench.report.cells import OF_POOL, TIED, notation_of, of_pool, probability, task, with_interval, with_spread
from ibbench.report.document import TEXT_COLUMNS, Points, Remark, Shape, Table, legend
from ibbench.report.missing import missing_content

_LEGEND = (
    "A → B: mean ± standard deviation over seeds of the test MAE; B − A with its 95 % interval. "
    "Verdict on B, p corrected (Holm) over all rows. Its basis: predictions (over seeds and test molecules), variances "
    "(the same, but it is not known whether the same molecules are hard on both sides), seeds, deviations (Welch's "
    "test on the deviations over seeds) or tolerance."
)


def page(compared: Diff) -> list[Shape]:
    """Return a diff in full, with all differences in one table, for a file or a pull request."""
    a, b = compared.names
    return [
        Remark(f"A: `{a}`, B: `{b}`. {_summary(compared)}"),
        *map(Remark, _missing(compared)),
        Table(_rows(compared)),
        Points([*compared.changes, *compared.cautions]),
        legend(_LEGEND),
    ]


def provenance_of_sides(old: Side, new: Side) -> list[Shape]:
    """Say with what both sides were made, as far as that is known."""
    columns: dict[str, dict[str, str]] = {}
    for name, side in (("A", old), ("B", new)):
        made = side.provenance
        columns[name] = {
            "study": side.name,
            "split": ", ".join(dict.fromkeys(row.place.split for row in side.rows)),
            "seeds": " or ".join(map(str, sorted({row.num_seeds for row in side.rows}))),
            "device": ", ".join(made.devices) if made else "",
            **({package: " or ".join(known) for package, known in made.versions.items()} if made else {}),
        }
    whats = dict.fromkeys(what for column in columns.values() for what in column)
    rows = [
        {"what": what} | {name: column.get(what) or "not known" for name, column in columns.items()} for what in whats
    ]
    return [Table(rows, text={"what", "A", "B"})]


def brief(compared: Diff) -> list[Shape]:
    """Return a diff in short, for a screen: one table per target and train size."""
    a, b = compared.names
    shapes: list[Shape] = [Points([f"A: {a}", f"B: {b}", *_missing(compared), ""])]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in _rows(compared):
        groups.setdefault(task(row.pop("target"), row.pop("unit"), row.pop("train size")), []).append(row)
    for title, rows in groups.items():
        shapes.append(Table([_short(row) for row in rows], title, text=TEXT_COLUMNS - {"A", "B", "verdict"}))
        shapes += [
            Remark(f"{in_full(row['model'], row.get('variant', ''))}: {row['verdict']}")
            for row in rows
            if "(" in row["verdict"] and not row["verdict"].startswith("identical")
        ]
    summary = f"{_summary(compared)} {TIED}: not distinguishable."
    return [*shapes, Points([*compared.changes, *compared.cautions]), Points(["", summary])]


def content(compared: Diff, fails: bool) -> dict[str, Any]:
    """Return a diff as names and values for programs, which `ibbench.report.json` writes.

    Args:
        compared: the diff of the two sides.
        fails: whether it has what `--fail-on` looks for.
    """
    return {
        "a": compared.names[0],
        "b": compared.names[1],
        "rows": diff_table(compared),
        "changes": compared.changes,
        "missing": {side: missing_content(runs) for side, runs in zip(("a", "b"), compared.missing, strict=True)},
        "cautions": compared.cautions,
        "fails": fails,
    }


def _missing(compared: Diff) -> Iterator[str]:
    """Say which runs the two sides lack."""
    for side, missing in zip(("A", "B"), compared.missing, strict=True):
        if missing:
            yield f"{side}: {count_missing(missing)} Rows are those of the finished runs."
            yield from (f"{side}: {one.tell()}" for one in missing if one.path)


def _rows(compared: Diff) -> list[dict[str, str]]:
    """Format all rows, with those of the columns variant, hydrogens, source and split that tell some rows apart."""
    optional = ("variant", "hydrogens", "source", "split")
    places = [row.place for row in compared.rows]
    named = [name for name in optional if len({getattr(place, name) for place in places} - {""}) > (name != "variant")]
    return [_row(row, named) for row in compared.rows]


def _row(row: DiffRow, named: list[str]) -> dict[str, str]:
    place = row.place
    cells = {"target": place.target, "unit": place.unit, "train size": f"{place.train_size:,}"}
    cells |= {"model": place.model} | {name: getattr(place, name) for name in named}
    cells |= {"A": _mae(row.old), "B": _mae(row.new), "B − A": "", "%": ""}
    if row.old and row.new and row.basis:
        delta = row.new.mae - row.old.mae
        low, high = row.interval or (None, None)
        cells["B − A"] = with_interval(delta, low, high, notation_of(row.old.mae, 4, otherwise=4))
        cells["%"] = f"{round(100 * delta / row.old.mae, 1) + 0.0:+.1f}" if row.old.mae else ""
    return cells | {
        "p": probability(row.p_holm),
        "verdict": of_pool(str(row.verdict), row.side.basis.is_of_pool),
        "basis": row.basis,
    }


def _mae(side: SideRow | None) -> str:
    return with_spread(side.mae, side.mae_std) if side else ""


def _short(row: dict[str, str]) -> dict[str, str]:
    word = row["verdict"].removesuffix(OF_POOL).partition(" (")[0].replace("not distinguishable", TIED)
    single = {side: row[side].partition(" ")[0] for side in ("A", "B")}
    return {name: cell for name, cell in row.items() if name not in {"p", "basis"}} | single | {"verdict": word}


def _summary(compared: Diff) -> str:
    counts = collections.Counter(row.verdict.word for row in compared.rows)
    return f"{len(compared.rows)} rows: " + ", ".join(f"{count} {word}" for word, count in counts.items()) + "."
