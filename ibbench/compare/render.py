"""A report as Markdown, LaTeX, JSON, or for the terminal."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from ibbench.compare.cells import TEXT_COLUMNS, TIED, markdown_table, readable, readable_pairs, readable_summary
from ibbench.compare.report import Report, differing
from ibbench.compare.statistics import ALPHA
from ibbench.compare.study import BASELINES
from ibbench.compare.table import GROUP, SECTION, tied_with_best
from ibbench.models import model_names
from ibbench.terminal import narrow_table

_MOST_PAIRS = 60  # that people read; all are in pairs.csv
_SHORT = {
    "parameters": "params",
    "MFLOPs/molecule": "MFLOPs",
    "mean of MAE / std": "MAE / std",
    "within chemical accuracy": "chem. acc.",
}
_IN_TERMINAL = ("model", "variant", "test MAE", "params", "MFLOPs", "train s")
_LEGEND = (
    f"MAE: mean ± standard deviation over seeds, on the test molecules of the split. Ratios and differences: with their"
    f" 95 % interval over seeds and test molecules. {TIED} and bold: the best, and what is not distinguishable from it."
    f" Verdict: by a paired test over seeds and test molecules, two-sided, p below {ALPHA} after Holm's correction over"
    " targets; of baselines, over seeds alone. On the front of: the costs at which no other row has a lower MAE at the "
    "same cost (within 2 %) or less. FLOPs: of one prediction. Seconds: of the training steps of all seeds together."
)
_PAIRS_LEGEND = (
    "P(A < B): the share of seeds on which A has the lower MAE, with its 95 % (Clopper-Pearson) interval. "
    "p: corrected over targets. A number of seeds is that at which this difference would be found with "
    "probability 0.8. All pairs, with the baselines, are in pairs.csv."
)


def to_markdown(report: Report) -> str:
    """Format the table with all that belongs to it: pairs, summary, assumptions, where the figures come from."""
    lines = [f"# {report.study.name}", ""]
    if report.table.empty:
        lines += ["No run has finished.", ""]
    for heading, part in _sections(report):
        lines += [*([f"## {heading}", ""] if heading else [])]
        cells = [_emphasised(row, tied) for row, tied in _marked(part, report.reference)]
        lines += [*markdown_table(cells), ""]
    lines += [f"{remark}\n" for remark in remarks(report)]
    pairs = report.pairs[~report.pairs["a"].isin(BASELINES) & ~report.pairs["b"].isin(BASELINES)]
    if 0 < len(pairs) <= _MOST_PAIRS:
        lines += ["## Pairs", "", *markdown_table(readable_pairs(pairs)), "", _PAIRS_LEGEND, ""]
    if not report.summary.empty:
        lines += ["## Over targets", "", *markdown_table(readable_summary(report.summary)), ""]
        lines += [f"{sentence}\n" for sentence in rank_remarks(report.summary)]
    lines += ["## Assumptions", "", *markdown_table(list(_assumptions(report))), "", _LEGEND, ""]
    versions = (f"{package} {' or '.join(known)}" for package, known in report.provenance.versions.items())
    splits = (f"{section.split} of {section.source}" for section in report.sections)
    devices = ", ".join(report.provenance.devices)
    lines.append(f"Split: {', '.join(dict.fromkeys(splits))}. Device: {devices}. Versions: {', '.join(versions)}.")
    lines += [f"\nFailed: {name}: {message}" for name, message in _failed(report)]
    return "\n".join(lines) + "\n"


def remarks(report: Report) -> Iterator[str]:
    """Say what must be known to read the table right."""
    if len(report.sections) > 1:
        fields = " and ".join(differing(report.sections))
        yield f"The sections differ in {fields}: their errors are not of the same task, and are not compared."
    for target, part in report.table.groupby("target", sort=False):
        if part["unit"].nunique() > 1:
            yield f"{target} is in {' and in '.join(part['unit'].unique())}: these are not compared."
    if not report.table.empty and (report.table["num_seeds"] == 1).any():
        yield (
            "Rows of one seed: how much another seed would change them is unknown. "
            "Their intervals are over test molecules only, and they get no verdict of better or worse."
        )
    trained = report.table[~report.table["model"].isin(BASELINES)]
    if trained["mae_low"].isna().any() or (report.pairs["basis"] == "seeds")[_of_models(report.pairs)].any():
        yield "Some predictions.npz are missing: those runs are compared over seeds alone, not over test molecules."


def _of_models(pairs: pd.DataFrame) -> "pd.Series[bool]":
    return ~pairs["a"].isin(BASELINES) & ~pairs["b"].isin(BASELINES)


def rank_remarks(summary: pd.DataFrame) -> Iterator[str]:
    """Say how far apart mean ranks must be."""
    for _, row in summary.drop_duplicates(["train_size", *SECTION]).iterrows():
        if pd.isna(row["critical_difference"]):
            continue
        yield (
            f"{row['train_size']:,} train molecules, {row['num_targets']} targets: mean ranks of trained models that "
            f"differ by less than {row['critical_difference']:.2f} are not distinguishable (Nemenyi, 5 %). "
            + (f"Friedman's test that all rank alike: p = {row['friedman_p']:.2g}. " * pd.notna(row["friedman_p"]))
            + "Targets are taken as independent, which those of QM9 are not quite."
        )


def _sections(report: Report) -> Iterator[tuple[str, pd.DataFrame]]:
    """Divide the table by section, with a heading if there are several."""
    for values, part in report.table.groupby(list(SECTION), sort=False):
        named = dict(zip(SECTION, values, strict=True))
        heading = ", ".join(f"{field} {named[field]}" for field in differing(report.sections))
        yield heading, part


def _marked(table: pd.DataFrame, reference: str) -> list[tuple[dict[str, str], bool]]:
    tied = [tied_with_best(row) for _, row in table.iterrows()]
    return list(zip(readable(table, reference), tied, strict=True))


def _emphasised(row: dict[str, str], tied: bool) -> dict[str, str]:
    return row | {"test MAE": f"**{row['test MAE']}**"} if tied else row


def _assumptions(report: Report) -> Iterable[dict[str, str]]:
    known = {record.config["model"]["name"]: record.assumptions for record in report.study.records}
    names = sorted(known, key=lambda name: model_names().index(name) if name in model_names() else len(known))
    return [{"model": name} | known[name] for name in names]


def _failed(report: Report) -> list[tuple[str, str]]:
    return [(record.run, record.error.message) for record in report.study.records if record.error]


def to_terminal(report: Report) -> RenderableType:
    """Format for the terminal: one part a (section, target, train size), narrow enough for 80 columns."""
    parts: list[RenderableType] = []
    for heading, section in _sections(report):
        for _, group in section.groupby(list(GROUP), sort=False):
            parts.append(_terminal_group(report, heading, group))
            undecided = group[group["verdict_vs_best"].str.startswith("not distinguishable")]
            parts += [
                Text(f"{TIED} {row['model']} {row['variant']}".rstrip() + f": {row['verdict_vs_best']}")
                for _, row in undecided.iterrows()
            ]
    parts += [Text(remark) for remark in remarks(report)]
    if not report.summary.empty:
        rows = _shortened(readable_summary(report.summary))
        text = tuple(column for column in ("model", "variant") if column in rows[0])
        table = narrow_table("Over targets", text, tuple(column for column in rows[0] if column not in text))
        for row in rows:
            table.add_row(*(row.pop(column) for column in text), *row.values())
        parts += [table, *(Text(sentence) for sentence in rank_remarks(report.summary))]
    parts += [Text(f"failed: {name}: {message}") for name, message in _failed(report)]
    return Group(*parts)


def _terminal_group(report: Report, heading: str, group: pd.DataFrame) -> RenderableType:
    rows = _shortened(readable(group, report.reference))
    first = rows[0]
    seeds = sorted({row["seeds"] for row in rows}, key=int)
    title = f"{report.study.name}: {first['target']} in {first['unit']}, {first['train size']} train molecules, "
    title += f"{' or '.join(seeds)} seed{'s' * (seeds != ['1'])}" + (f"; {heading}" if heading else "")
    shown = [column for column in first if column in {*_IN_TERMINAL, f"MAE / {report.reference}"}]
    text = tuple(column for column in shown if column in TEXT_COLUMNS)
    table = narrow_table(title, text, tuple(column for column in shown if column not in text), folded=("variant",))
    for row, (_, figures) in zip(rows, group.iterrows(), strict=True):
        table.add_row(*(row[column] for column in shown), style="bold" if tied_with_best(figures) else None)
    return table


def _shortened(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{_SHORT.get(column, column): cell for column, cell in row.items()} for row in rows]


def to_latex(report: Report) -> str:
    """Format the table for a paper: LaTeX with booktabs, the best and what is tied with it in bold."""
    marked = _marked(report.table, report.reference)
    frame = pd.DataFrame([row for row, _ in marked]).map(_in_math)
    frame.columns = pd.Index([_in_math(column) for column in frame.columns])
    bold = pd.DataFrame("", index=frame.index, columns=frame.columns)
    bold.loc[[tied for _, tied in marked], "test MAE"] = "textbf:--rwrap;"
    styled = frame.style.hide(axis="index").format(escape="latex-math").format_index(axis=1, escape="latex-math")
    alignment = "".join("l" if column in TEXT_COLUMNS else "r" for column in frame.columns)
    return str(styled.apply(lambda _: bold, axis=None).to_latex(hrules=True, column_format=alignment))


def _in_math(text: str) -> str:
    return text.translate({ord("±"): "$\\pm$", ord(TIED): "$\\approx$", ord("²"): "$^2$", ord("−"): "$-$"})


def to_json(report: Report) -> str:
    """Format everything for programs: rows, pairs and summary with all digits, null where something is unknown."""
    content: dict[str, Any] = {"study": report.study.name}
    for name, frame in (("rows", report.table), ("pairs", report.pairs), ("summary", report.summary)):
        content[name] = json.loads(frame.to_json(orient="records", double_precision=15))
    content["provenance"] = report.provenance.model_dump(mode="json")
    content["failed"] = [{"run": name, "message": message} for name, message in _failed(report)]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
