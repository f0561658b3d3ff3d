"""`ibbench diff`: what has changed, for the terminal, a pull request or a program."""

import collections
import json
from collections.abc import Iterator
from typing import get_args

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.text import Text

from ibbench.compare.cells import TIED, markdown_table, probability, with_interval, with_spread
from ibbench.compare.diff import Diff, DiffRow, FailOn, diff, diff_table
from ibbench.compare.side import SideRow, read_side
from ibbench.errors import InputError, suggest
from ibbench.terminal import narrow_table

FORMATS = ("terminal", "md", "json")
_LEGEND = (
    "A → B: mean ± standard deviation over seeds of the test MAE; B − A with its 95 % interval. "
    "Verdict on B, p corrected (Holm) over the targets of a model. Its basis: predictions (paired over seeds and test "
    "molecules), seeds (paired), deviations (Welch's test on the deviations over seeds) or tolerance."
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
    fails = compared.fails(fail_on)  # type: ignore[arg-type]  # checked above
    if style == "terminal":
        console.print(_to_terminal(compared))
        if fails:
            console.print(Text(f"There is a {fail_on}: exit code 1."))
    else:
        console.file.write(_to_markdown(compared) if style == "md" else _to_json(compared, fails))
    return fails


def _readable(row: DiffRow) -> dict[str, str]:
    place, side = row.place, row.new or row.old
    assert side is not None
    cells = {"target": place.target, "train size": f"{place.train_size:,}", "model": place.model}
    cells |= {"variant": place.variant, "unit": side.unit, "A": _mae(row.old), "B": _mae(row.new), "B − A": "", "%": ""}
    if row.old and row.new and row.verdict.word != "not comparable":
        delta = row.new.mae - row.old.mae
        decimals = len(with_spread(row.old.mae, None).partition(".")[2])
        low, high = row.interval or (None, None)
        cells["B − A"] = with_interval(delta, low, high, decimals)
        cells["%"] = f"{100 * delta / row.old.mae:+.1f}" if row.old.mae else ""
    return cells | {"p": probability(row.p_holm), "verdict": str(row.verdict), "basis": row.basis}


def _mae(side: SideRow | None) -> str:
    return with_spread(side.mae, side.mae_std) if side else ""


def _readable_rows(compared: Diff) -> list[dict[str, str]]:
    rows = [_readable(row) for row in compared.rows]
    if not any(row["variant"] for row in rows):
        for row in rows:
            del row["variant"]
    return rows


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
        "rows": json.loads(diff_table(compared).to_json(orient="records", double_precision=15)),
        "changes": compared.changes,
        "fails": fails,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _to_terminal(compared: Diff) -> RenderableType:
    """Format in parts of one target and train size, narrow enough for 80 columns."""
    a, b = compared.names
    parts: list[RenderableType] = [Text(f"A: {a}\nB: {b}\n")]
    rows = pd.DataFrame(_readable_rows(compared))
    for (target, train_size), group in rows.groupby(["target", "train size"], sort=False):
        title = f"{target} in {group['unit'].iloc[0]}, {train_size} train molecules"
        text = tuple(column for column in ("model", "variant") if column in rows)
        part = narrow_table(title, text, ("A", "B", "B − A", "%", "verdict"), folded=("variant",))
        for _, row in group.iterrows():
            single = {side: row[side].partition(" ")[0] for side in ("A", "B")}
            short = row["verdict"].partition(" (")[0].replace("not distinguishable", TIED)
            part.add_row(*(row[column] for column in text), *single.values(), row["B − A"], row["%"], short)
        parts.append(part)
        parts += [Text(note) for note in _notes(group)]
    parts += [Text(change) for change in compared.changes]
    return Group(*parts, Text(f"\n{_summary(compared)} {TIED}: not distinguishable."))


def _notes(group: pd.DataFrame) -> Iterator[str]:
    for _, row in group.iterrows():
        if "(" in row["verdict"] and not row["verdict"].startswith("identical"):
            yield f"{row['model']} {row.get('variant', '')}".rstrip() + f": {row['verdict']}"
