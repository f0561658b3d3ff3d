"""A report as Markdown, LaTeX or JSON."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ibbench.compare.comparison import Report, differing
from ibbench.compare.statistics import ALPHA
from ibbench.compare.study import Section, model_order
from ibbench.report.cells import TEXT_COLUMNS, TIED, markdown_table, readable, readable_pairs, readable_summary
from ibbench.report.search import to_markdown_lines

_MOST_PAIRS = 60  # that people read
_LEGEND = (
    "MAE: mean ± standard deviation over seeds, on the test molecules of the split. Ratios (geometric means over "
    "seeds) and differences: with their 95 % interval over seeds and test molecules, each by itself. "
    f"Bold (and {TIED} on the terminal): the best, and what is not distinguishable from it. "
    f"Verdict: by a paired test over seeds and test molecules, two-sided, p below {ALPHA} after Holm's correction over "
    "targets; of baselines, over seeds alone. On the front of: the costs at which no other row has a lower MAE at the "
    "same cost (within 2 %) or less. FLOPs: of one prediction. Seconds: of the training steps of all seeds together."
)
_PAIRS_LEGEND = (
    "P(A < B): the share of seeds on which A has the lower MAE, ties counted half, with its 95 % (Clopper-Pearson) "
    "interval. p: corrected over targets. A number of seeds is that at which this difference would be found with "
    "probability 0.8. pairs.csv has the baselines too."
)


def to_markdown(report: Report) -> str:
    """Format the table with all that belongs to it: pairs, summary, assumptions, where the figures come from."""
    lines = [f"# {report.study.name}", ""]
    if report.table.empty:
        lines += ["No run has finished.", ""]
    for heading, part in sections(report):
        lines += [f"## {heading}", ""] if heading else []
        cells = zip(readable(part, report.reference), part["among_best"], strict=True)
        lines += [*markdown_table([_emphasised(row, among_best) for row, among_best in cells]), ""]
    lines += [f"{remark}\n" for remark in remarks(report)]
    fields = differing(report.sections)
    baselines = {entry.key.model for entry in report.study.entries if entry.key.is_baseline}
    pairs = report.pairs[~report.pairs["a"].isin(baselines) & ~report.pairs["b"].isin(baselines)]
    if len(pairs) > _MOST_PAIRS:
        lines += ["## Pairs", "", f"{len(pairs)} pairs of trained models were compared: see pairs.csv.", ""]
    elif len(pairs):
        lines += ["## Pairs", "", *markdown_table(readable_pairs(pairs, fields)), "", _PAIRS_LEGEND, ""]
    if not report.summary.empty:
        lines += ["## Over targets", "", *markdown_table(readable_summary(report.summary, fields)), ""]
        lines += [f"{sentence}\n" for sentence in rank_remarks(report)]
    lines += to_markdown_lines(report.tuning, report.study.entries, fields)
    lines += ["## Assumptions", "", *markdown_table(_assumptions(report)), "", _LEGEND, ""]
    versions = (f"{package} {' or '.join(known)}" for package, known in report.provenance.versions.items())
    splits = (f"{section.split} of {section.source}" for section in report.sections)
    devices = ", ".join(report.provenance.devices)
    lines.append(f"Split: {', '.join(dict.fromkeys(splits))}. Device: {devices}. Versions: {', '.join(versions)}.")
    lines += [f"\nFailed: {name}: {message}" for name, message in failed(report)]
    return "\n".join(lines) + "\n"


def remarks(report: Report) -> Iterator[str]:
    """Say what must be known to read the table right."""
    if len(report.sections) > 1:
        fields = " and ".join(differing(report.sections))
        yield f"The sections differ in {fields}: their errors are not of the same task, and are not compared."
    for target, part in report.table.groupby("target", sort=False):
        if part["unit"].nunique() > 1:
            yield f"{target} is in {' and in '.join(part['unit'].unique())}: these are not compared."
    if (report.table["num_seeds"] == 1).any():
        yield (
            "Rows of one seed: how much another seed would change them is unknown. "
            "Their intervals are over test molecules only, and they get no verdict of better or worse."
        )
    entries = [entry for entry in report.study.entries if not entry.key.is_baseline]
    seeds = {entry.key.group: entry.sample.seeds for entry in entries}
    if any(entry.sample.seeds != seeds[entry.key.group] for entry in entries):
        yield "Some rows have other seeds than others: they are compared unpaired, by Welch's degrees of freedom."
    if any(entry.sample.errors is None for entry in entries):
        yield "Some predictions.npz are missing: those runs are compared over seeds alone, not over test molecules."


def rank_remarks(report: Report) -> Iterator[str]:
    """Say how far apart mean ranks must be."""
    fields = differing(report.sections)
    for _, row in report.summary.drop_duplicates(["train_size", *Section._fields]).iterrows():
        if pd.isna(row["critical_difference"]):
            continue
        where = "".join(f", {field} {row[field]}" for field in fields)
        friedman = row["friedman_p"]
        yield (
            f"{row['train_size']:,} train molecules, {row['num_targets']} targets{where}: mean ranks of trained models "
            f"that differ by less than {row['critical_difference']:.2f} are not distinguishable (Nemenyi, 5 %). "
            + ("" if pd.isna(friedman) else f"Friedman's test that all rank alike: p = {friedman:.2g}. ")
            + "Targets are taken as independent, which those of QM9 are not quite."
        )


def sections(report: Report) -> Iterator[tuple[str, pd.DataFrame]]:
    """Divide the table by section, with a heading if there are several."""
    for values, part in report.table.groupby(list(Section._fields), sort=False):
        section = Section(*map(str, values))
        yield ", ".join(f"{field} {getattr(section, field)}" for field in differing(report.sections)), part


def _emphasised(row: dict[str, str], among_best: bool) -> dict[str, str]:
    return row | {"test MAE": f"**{row['test MAE']}**"} if among_best else row


def _assumptions(report: Report) -> list[dict[str, str]]:
    known = {record.config["model"]["name"]: record.assumptions for record in report.study.records}
    return [{"model": name} | known[name] for name in sorted(known, key=model_order)]


def failed(report: Report) -> list[tuple[str, str]]:
    """Name the runs that failed, with what went wrong."""
    return [(record.run, record.error.message) for record in report.study.records if record.error]


def to_latex(report: Report) -> str:
    """Format the table for a paper: LaTeX with booktabs, a tabular a section, the best and what is tied in bold."""
    parts = []
    for heading, part in sections(report):
        frame = pd.DataFrame(readable(part, report.reference)).map(_in_math)
        frame.columns = pd.Index([_in_math(column) for column in frame.columns])
        bold = pd.DataFrame("", index=frame.index, columns=frame.columns)
        bold.loc[part["among_best"].to_numpy(), "test MAE"] = "textbf:--rwrap;"
        styled = frame.style.hide(axis="index").format(escape="latex-math").format_index(axis=1, escape="latex-math")
        alignment = "".join("l" if column in TEXT_COLUMNS else "r" for column in frame.columns)
        tabular = styled.apply(lambda _, bold=bold: bold, axis=None).to_latex(hrules=True, column_format=alignment)
        parts.append((f"% {heading}\n" if heading else "") + str(tabular))
    return "\n".join(parts) or "% No run has finished.\n"


def _in_math(text: str) -> str:
    return text.translate({ord("±"): "$\\pm$", ord("²"): "$^2$", ord("−"): "$-$"})


def to_json(report: Report) -> str:
    """Format everything for programs: rows, pairs and summary with all digits, null where something is unknown."""
    content = {
        "study": report.study.name,
        "rows": json_rows(report.table),
        "pairs": json_rows(report.pairs),
        "summary": json_rows(report.summary),
        **({"tuning": json_rows(report.tuning)} if len(report.tuning) else {}),
        "provenance": report.provenance.model_dump(mode="json"),
        "failed": [{"run": name, "message": message} for name, message in failed(report)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into what `json` can write."""
    return [{str(name): _plain(cell) for name, cell in row.items()} for row in frame.astype(object).to_dict("records")]


def _plain(cell: Any) -> Any:
    value = cell.item() if hasattr(cell, "item") else cell
    return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value
