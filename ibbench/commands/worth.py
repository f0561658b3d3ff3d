"""`ibbench worth`: what the curves of a study tell, printed and written to its folder."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from rich.console import Console, RenderableType

from ibbench.compare.table_file import to_csv
from ibbench.record.tables import write_tables
from ibbench.report import worth as text
from ibbench.report.cells import markdown_table
from ibbench.terminal import fitting_table, say
from ibbench.worth.worth import Worth, read_worth

_PARTS: dict[str, tuple[str, Callable[[Worth], list[dict[str, str]]]]] = {
    "ladder": ("The ladder", text.ladder_rows),
    "factors": ("What A saves against B", text.multiplier_rows),
    "bits": ("Bits a label", text.bits_rows),
    "laws": ("Laws", text.law_rows),
}
_LONG = ("assumes in addition", "p", "largest residual", "unit", "labels")  # left out of a narrow terminal


def show_worth(folder: Path, console: Console, by: str = "labels", at: float | None = None) -> None:
    """Print what the assumptions of a study's models are worth, and write `worth.md` and CSV files beside it.

    Args:
        folder: of the study.
        console: where to print.
        by: what is saved: `labels`, `seconds` or `parameters`.
        at: the size at which it is told.

    Raises:
        InputError: the study has no records or no curves, or an argument is not possible. Nothing is written.
    """
    worth = read_worth(folder, by, at)
    suffix = "" if by == "labels" else f"_{by}"
    tables = {"multipliers": worth.multipliers, "bits": worth.bits, "laws": worth.laws, "ladder": worth.ladder}
    files = {f"{name}{suffix}.csv": to_csv(_finite(table)) for name, table in tables.items() if not table.empty}
    write_tables(folder, files | {f"worth{suffix}.md": to_markdown(worth)})
    for sentence in text.sentences(worth):
        say(sentence)
    for name, (title, rows) in _parts(worth).items():
        if name == "factors" and text.too_many_pairs(worth):
            continue
        console.print(_table(title, rows, console.width))
    for remark in text.remarks(worth):
        say(remark)
    say(f"Written to {folder}: {', '.join([f'worth{suffix}.md', *files])}")


def _parts(worth: Worth) -> dict[str, tuple[str, list[dict[str, str]]]]:
    made = {name: (title, make(worth)) for name, (title, make) in _PARTS.items()}
    return {name: (title, rows) for name, (title, rows) in made.items() if rows}


def _table(title: str, rows: list[dict[str, str]], width: int) -> RenderableType:
    """Return a table for a terminal: without intervals where it is too narrow for them, and then with fewer columns."""
    if sum(max(len(name), *(len(row[name]) for row in rows)) + 2 for name in rows[0]) > width:
        rows = [{name: _shortened(cell) for name, cell in row.items() if name not in _LONG} for row in rows]
        title += " (intervals are in worth.md)"
    sizes = [name for name in reversed(rows[0]) if name.replace(",", "").isdecimal()]
    same = ["target"] if len({row["target"] for row in rows}) == 1 else []
    return fitting_table(title, rows, text.TEXT, width, (*same, *sizes, "after", "verdict"))


def _shortened(cell: str) -> str:
    return cell.partition(" [")[0].replace("more than ", "> ").replace("less than ", "< ")


def _finite(table: pd.DataFrame) -> pd.DataFrame:
    """Write what is known only to lie beyond the sizes that were trained as `inf` or `0`, whatever it was."""
    return table.astype(object).map(lambda cell: "inf" if cell == float("inf") else cell)


def to_markdown(worth: Worth) -> str:
    """Format sentences and tables as Markdown."""
    command = f"ibbench worth results/{worth.study}" + ("" if worth.by == "labels" else f" --by {worth.by}")
    lines = [f"# What assumptions are worth: {worth.study}", "", f"Written by `{command}`.", ""]
    lines += [f"- {sentence}" for sentence in text.sentences(worth)]
    for name, (title, rows) in _parts(worth).items():
        lines += ["", f"## {title}", ""]
        if name == "factors" and text.too_many_pairs(worth):
            lines += [f"{len(rows)} pairs were compared: see multipliers.csv."]
            continue
        lines += [*markdown_table(rows), "", text.legend(name, worth)]
    lines += ["", *(f"- {remark}" for remark in text.remarks(worth))]
    return "\n".join(lines).rstrip() + "\n"
