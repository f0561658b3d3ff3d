"""A report for the terminal, as wide as that is."""

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from ibbench.compare.comparison import Report, differing
from ibbench.compare.study import in_full
from ibbench.compare.table import BEST, GROUP
from ibbench.report.cells import TEXT_COLUMNS, TIED, readable, readable_summary
from ibbench.report.quick import QuickTable
from ibbench.report.render import failed, rank_remarks, remarks, sections
from ibbench.report.search import to_terminal_parts
from ibbench.terminal import fitting_table

_SHORT = {
    "parameters": "params",
    "MFLOPs/molecule": "MFLOPs",
    "mean of MAE / std": "MAE / std",
    "within chemical accuracy": "chem. acc.",
}
_SHOWN = ("model", "variant", "test MAE", "params", "MFLOPs", "train s")
_OPTIONAL = ("train s", "MFLOPs", "params")  # left out, in this order, where the terminal is too narrow


def to_terminal(report: Report, width: int) -> RenderableType:
    """Format for a terminal of `width` columns: one part a (section, target, train size)."""
    parts: list[RenderableType] = []
    for heading, section in sections(report):
        for _, group in section.groupby(list(GROUP), sort=False):
            parts.append(_group(report, heading, group, width))
            parts += [Text(note) for note in _undecided(group, report.reference)]
    parts += [Text(remark) for remark in remarks(report)]
    if not report.summary.empty:
        rows = _shortened(readable_summary(report.summary, differing(report.sections)))
        parts.append(fitting_table("Over targets", rows, TEXT_COLUMNS, width, optional=("targets", "chem. acc.")))
        parts += [Text(sentence) for sentence in rank_remarks(report)]
    parts += to_terminal_parts(report.tuning, report.study.entries, width)
    parts += [Text(f"failed: {name}: {message}") for name, message in failed(report)]
    return Group(*parts)


def _group(report: Report, heading: str, group: pd.DataFrame, width: int) -> RenderableType:
    rows = _shortened(readable(group, report.reference))
    first = rows[0]
    seeds = sorted({row["seeds"] for row in rows}, key=int)
    title = f"{report.study.name}: {first['target']} in {first['unit'] or 'no unit'}, {first['train size']} train "
    title += f"molecules, {' or '.join(seeds)} seed{'s' * (seeds != ['1'])}" + (f"; {heading}" if heading else "")
    shown = [{name: row[name] for name in row if name in {*_SHOWN, f"MAE / {report.reference}"}} for row in rows]
    for row, among_best, verdict in zip(shown, group["among_best"], group["verdict_vs_best"], strict=True):
        if among_best and verdict != BEST:
            row["test MAE"] = f"{TIED} {row['test MAE']}"
    styles = ["bold" if among_best else "" for among_best in group["among_best"]]
    return QuickTable(fitting_table(title, shown, TEXT_COLUMNS, width, _OPTIONAL, styles))


def _undecided(group: pd.DataFrame, reference: str) -> list[str]:
    verdicts = group[f"verdict_vs_{reference}"]
    return [
        f"{in_full(model, variant)}: {verdict}"
        for model, variant, verdict in zip(group["model"], group["variant"], verdicts, strict=True)
        if verdict.startswith("not distinguishable")
    ]


def _shortened(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{_SHORT.get(column, column): cell for column, cell in row.items()} for row in rows]
