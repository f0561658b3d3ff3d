"""`ibbench diff`: what has changed, for the terminal, a pull request or a program."""

import collections
import json
from typing import get_args

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ibbench.compare.diff import Diff, DiffRow, FailOn, diff, diff_table
from ibbench.compare.side import SideRow, read_side
from ibbench.compare.study import in_full
from ibbench.errors import InputError, suggest
from ibbench.report.cells import TEXT_COLUMNS, TIED, markdown_table, probability, with_interval, with_spread
from ibbench.report.render import json_rows
from ibbench.terminal import fitting_table

FORMATS = ("terminal", "md", "json")
_LEGEND = (
    "A → B: mean ± standard deviation over seeds of the test MAE; B − A with its 95 % interval. "
    "Verdict on B, p corrected (Holm) over the targets of a model. Its basis: predictions (over seeds and test "
    "molecules), seeds, deviations (Welch's test on the deviations over seeds) or tolerance."
)


def show_diff(old: str, new: str, console: Console, style: str, fail_on: str, tolerance: float) -> bool:
    """Print how side B differs from side A.

    Returns:
        Whether it is what `fail_on` looks for.

    Raises:
        InputError: a side cannot be read, they cannot be compared, or an option is not possible.
    """
    if style not in FORMATS:
        raise InputError(f"--format `{style}` is not possible: {suggest(style, FORMATS)}")
    if fail_on not in get_args(FailOn):
        raise InputError(f"--fail-on `{fail_on}` is not possible: {suggest(fail_on, get_args(FailOn))}")
    if not 0 <= tolerance < 1:
        raise InputError(f"--tolerance {tolerance} is not possible: expected a fraction, such as 0.02 for 2 %")
    compared = diff(read_side(old), read_side(new), tolerance)
    if fail_on != "never" and not compared.compared:
        raise InputError(f"nothing in {old} and {new} can be compared: {' '.join(compared.changes)}")
    fails = compared.fails(fail_on)  # type: ignore[arg-type]  # checked above
    if style == "terminal":
        console.print(_to_terminal(compared, console.width), markup=False)
        if fails:
            console.print(Text(f"There is a {fail_on}: exit code 1."))
    else:
        console.file.write(_to_markdown(compared) if style == "md" else _to_json(compared, fails))
    return fails


def _readable(row: DiffRow, named: list[str]) -> dict[str, str]:
    place = row.place
    cells = {"target": place.target, "unit": place.unit, "train size": f"{place.train_size:,}"}
    cells |= {"model": place.model} | {name: getattr(place, name) for name in named}
    cells |= {"A": _mae(row.old), "B": _mae(row.new), "B − A": "", "%": ""}
    if row.old and row.new and row.basis:
        delta = row.new.mae - row.old.mae
        low, high = row.interval or (None, None)
        cells["B − A"] = with_interval(delta, low, high, len(with_spread(row.old.mae, None).partition(".")[2]))
        cells["%"] = f"{round(100 * delta / row.old.mae, 1) + 0.0:+.1f}" if row.old.mae else ""
    return cells | {"p": probability(row.p_holm), "verdict": str(row.verdict), "basis": row.basis}


def _mae(side: SideRow | None) -> str:
    return with_spread(side.mae, side.mae_std) if side else ""


def _readable_rows(compared: Diff) -> list[dict[str, str]]:
    """Format all rows, with the columns that are needed to tell them apart."""
    optional = ("variant", "hydrogens", "source", "split")
    places = [row.place for row in compared.rows]
    named = [name for name in optional if len({getattr(place, name) for place in places} - {""}) > (name != "variant")]
    return [_readable(row, named) for row in compared.rows]


def _summary(compared: Diff) -> str:
    counts = collections.Counter(row.verdict.word for row in compared.rows)
    return f"{len(compared.rows)} rows: " + ", ".join(f"{count} {word}" for word, count in counts.items()) + "."


def _to_markdown(compared: Diff) -> str:
    a, b = compared.names
    lines = [f"A: `{a}`, B: `{b}`. {_summary(compared)}", "", *markdown_table(_readable_rows(compared)), ""]
    lines += [f"- {change}" for change in compared.changes] + [""] * bool(compared.changes)
    return "\n".join([*lines, _LEGEND]) + "\n"


def _to_json(compared: Diff, fails: bool) -> str:
    content = {
        "a": compared.names[0],
        "b": compared.names[1],
        "rows": json_rows(diff_table(compared)),
        "changes": compared.changes,
        "fails": fails,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _to_terminal(compared: Diff, width: int) -> RenderableType:
    """Format in parts of one target and train size, for a terminal of `width` columns."""
    a, b = compared.names
    parts: list[RenderableType] = [Text(f"A: {a}\nB: {b}\n")]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in _readable_rows(compared):
        title = f"{row.pop('target')} in {row.pop('unit') or 'no unit'}, {row.pop('train size')} train molecules"
        groups.setdefault(title, []).append(row)
    for title, rows in groups.items():
        parts.append(fitting_table(title, [_short(row) for row in rows], TEXT_COLUMNS - {"A", "B", "verdict"}, width))
        parts += [
            Text(f"{in_full(row['model'], row.get('variant', ''))}: {row['verdict']}")
            for row in rows
            if "(" in row["verdict"] and not row["verdict"].startswith("identical")
        ]
    parts += [Text(change) for change in compared.changes]
    return Group(*parts, Text(f"\n{_summary(compared)} {TIED}: not distinguishable."))


def _short(row: dict[str, str]) -> dict[str, str]:
    word = row["verdict"].partition(" (")[0].replace("not distinguishable", TIED)
    single = {side: row[side].partition(" ")[0] for side in ("A", "B")}
    return {name: cell for name, cell in row.items() if name not in {"p", "basis"}} | single | {"verdict": word}
