"""The comparison of a study in words: its tables, and what must be known to read them."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ibbench.compare.cautions import MOST_SHARED
from ibbench.compare.comparison import Report, differing
from ibbench.compare.estimate import ALPHA
from ibbench.compare.order import model_order
from ibbench.compare.rows import Section, in_full
from ibbench.compare.table import BEST, GROUP
from ibbench.compare.verdict import POWER
from ibbench.options.words import NATS
from ibbench.report.calibration import ensembles
from ibbench.report.cells import (
    TIED,
    error_name,
    in_words_of,
    readable,
    readable_pairs,
    readable_summary,
    renamed,
    task,
)
from ibbench.report.conditions import tell_cautions, tell_conditions
from ibbench.report.document import Heading, Remark, Shape, Table, legend
from ibbench.report.missing import missing_content, tell_missing

_MOST_PAIRS = 60  # longer tables are left to pairs.csv
_MOST_UNDECIDED = 12  # verdicts that are listed below a table on the screen
_SHORT = {
    "parameters": "params",
    "MFLOPs/molecule": "MFLOPs",
    "mean of MAE / std": "MAE / std",
    "within chemical accuracy": "chem. acc.",
}
_SHOWN = {  # and the ratio
    "model", "variant", "test MAE", "test log loss", "AUROC", "MAE on cliffs", "params", "MFLOPs", "train s",
}  # fmt: skip
_LEGEND = (
    "MAE: mean ± standard deviation over seeds, on the test molecules of the split. Ratios (geometric means over "
    "seeds) and differences: with their 95 % interval over seeds and test molecules, each by itself. "
    f"Bold (and {TIED} on the terminal): the best, and what is not distinguishable from it. "
    f"Verdict: by a paired test over seeds and test molecules, two-sided, p below {ALPHA} after Holm's correction over "
    "all pairs of rows of this study on the same target and train size. Of what is not distinguishable the 95 % "
    "interval of the difference is told; equal: within {relevance}; better by less than that: lower, but not by an "
    "amount that matters. For this pool: seeds share more than {shared} of their train molecules. Variances over seeds "
    "of trained models inform each other (moderated, Smyth 2004), if there are enough of them. On the front of: the "
    "costs at which no other row has a lower MAE at the same cost (within 2 %) or less. FLOPs: of one prediction. "
    "Seconds: of the training steps of all seeds together. By twice the steps: how much the MAE changed against the "
    "same training for half of its steps, with a schedule of its own, and its 95 % interval over seeds."
)
_CLASS_LEGEND = (
    "Log loss of a class: minus the natural logarithm of the probability that a model gives the true class, in nats, "
    "mean over the test molecules; ln 2 = 0.693 for a coin. Verdicts, ratios and intervals are of it, as those of "
    "numbers are of the MAE. AUROC and average precision: with their 95 % interval over seeds and test molecules (by "
    "the influence of each molecule: DeLong et al. 1988). Average precision of one who knows nothing: the share of "
    "class 1, {shares}. Brier: mean square of probability minus class. Calibration error: mean distance of the share "
    "of class 1 from the stated probability in ten bins of as many molecules each, by rising probability; by chance: "
    "what as many molecules would have if every probability were right. Log loss of the mean: of the mean probability "
    "over seeds, which costs as many trainings as there are seeds; no verdict counts it."
)
_CLIFF_LEGEND = (
    "On cliffs: over the test molecules that the source marks as lying on an activity cliff, {counts}; such a molecule "
    "has one much like it that is more than ten times as active, or less than a tenth. MAE: with its 95 % interval "
    "over seeds and such molecules. RMSE: the figure that MoleculeACE tells. No verdict counts them."
)
_PAIRS_LEGEND = (
    "P(A < B): the share of seeds on which A has the lower MAE, ties counted half, with its 95 % (Clopper-Pearson) "
    "interval, from 6 seeds on. p: corrected over all pairs of the study. A percentage that would be found is the "
    f"smallest difference that these seeds and test molecules find with probability {POWER}. pairs.csv has the "
    "baselines too."
)


def page(report: Report) -> list[Shape]:
    """Return a comparison in full, for a file: table, pairs, summary, assumptions, and the origin of the figures."""
    return [
        Heading(report.study.name, level=1),
        *map(Remark, tell_missing(report.study, whole_path=False)),
        *body(report),
        Remark(_origin(report)),
        *map(Remark, tell_failed(report)),
    ]


def body(report: Report, most_pairs: int = _MOST_PAIRS) -> list[Shape]:
    """Tell what was compared: the table, pairs, summary and assumptions; more than `most_pairs` are left to the CSV."""
    fields = differing(report.sections)
    return [
        *_tables(report),
        *map(Remark, tell_conditions(report)),
        *_pairs(report, fields, most_pairs),
        *_summary(report, fields),
        *ensembles(report.table, fields),
        Table(_assumptions(report), title="Assumptions"),
        legend(_LEGEND.format(relevance=f"{report.relevance * 100:.3g} %", shared=f"{MOST_SHARED:.0%}")),
        *_legend_of_classes(report.table),
        *_legend_of_cliffs(report.table),
    ]


def _legend_of_classes(table: pd.DataFrame) -> list[Shape]:
    classes = table[table["unit"] == NATS]
    if classes.empty:
        return []
    shares = classes.dropna(subset="positive_share").drop_duplicates("target")
    told = ", ".join(f"{row['positive_share']:.3f} of {row['target']}" for _, row in shares.iterrows())
    return [legend(_CLASS_LEGEND.format(shares=told or "not known"))]


def _legend_of_cliffs(table: pd.DataFrame) -> list[Shape]:
    if "num_cliffs" not in table or not table["num_cliffs"].notna().any():
        return []
    known = table.dropna(subset="num_cliffs").drop_duplicates(["source", "split"])
    told = " and ".join(f"{row['num_cliffs']:,} of {row['num_test_molecules']:,}" for _, row in known.iterrows())
    return [legend(_CLIFF_LEGEND.format(counts=told))]


def tell_failed(report: Report) -> list[str]:
    """Name the runs that failed, with what went wrong."""
    return [f"Failed: {name}: {message}" for name, message in _failed(report)]


def tables(report: Report) -> list[Shape]:
    """Return the tables of a comparison, one for each section, after remarks on missing runs."""
    return [*map(Remark, tell_missing(report.study, whole_path=False)), *_tables(report)]


def _tables(report: Report) -> list[Shape]:
    if report.table.empty:
        return [Remark("No run has finished.")]
    return [
        Table(
            readable(part, report.reference),
            title=heading,
            emphasised=_is_among_best(part),
            headline=f"test {error_name(part['unit'].iloc[0])}",
        )
        for heading, whole in _sections(report)
        for part in by_kind(whole)
    ]


def by_kind(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Divide rows into those of numbers and those of classes, whose tables have other columns; none is empty."""
    is_class = rows["unit"] == NATS
    return [part for part in (rows[~is_class], rows[is_class]) if not part.empty]


def paper(report: Report) -> list[Shape]:
    """Return the tables of a comparison and the remarks that a reader needs, for a paper."""
    return [*tables(report), *map(Remark, tell_conditions(report))]


def brief(report: Report) -> list[Shape]:
    """Return a comparison in short, for a screen: one table per section, target and train size, and remarks."""
    shapes: list[Shape] = [*map(Remark, tell_missing(report.study))]
    for heading, section in _sections(report):
        for _, group in section.groupby(list(GROUP), sort=False):
            shapes += [_group(report, heading, group), *map(Remark, _undecided(group, report.reference))]
    return [
        *shapes,
        *map(Remark, tell_conditions(report)),
        *_brief_summary(report),
        *(Remark(f"failed: {name}: {message}") for name, message in _failed(report)),
    ]


def content(report: Report) -> dict[str, Any]:
    """Return a comparison as names and values for programs, which `ibbench.report.json` writes."""
    return {
        "study": report.study.name,
        "rows": report.table,
        "pairs": report.pairs,
        "summary": report.summary,
        "cautions": list(tell_cautions(report)),
        "provenance": report.provenance.content(),
        "failed": [{"run": name, "message": message} for name, message in _failed(report)],
        "complete": not report.study.missing,
        "missing": missing_content(report.study.missing),
        "remarks": list(tell_conditions(report)),
    }


def _sections(report: Report) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the table of each section with its heading, which is empty if there is one section only."""
    for values, part in report.table.groupby(list(Section._fields), sort=False):
        section = Section(*map(str, values))
        yield ", ".join(f"{field} {getattr(section, field)}" for field in differing(report.sections)), part


def _group(report: Report, heading: str, group: pd.DataFrame) -> Table:
    rows = renamed(readable(group, report.reference), _SHORT)
    first = rows[0]
    seeds = sorted({row["seeds"] for row in rows}, key=int)
    title = f"{report.study.name}: {task(first['target'], first['unit'], first['train size'])}, "
    title += f"{' or '.join(seeds)} seed{'s' * (seeds != ['1'])}" + (f"; {heading}" if heading else "")
    error = error_name(first["unit"])
    kept = _SHOWN | {f"{error} / {report.reference}"}
    shown = [{name: cell for name, cell in row.items() if name in kept} for row in rows]
    emphasised = _is_among_best(group)
    for row, among_best, verdict in zip(shown, emphasised, group["verdict_vs_best"], strict=True):
        if among_best and verdict != BEST:
            row[f"test {error}"] = f"{TIED} {row[f'test {error}']}"
    return Table(shown, title, emphasised=emphasised, optional=("train s", "MFLOPs", "params", "AUROC"))


def _is_among_best(rows: pd.DataFrame) -> list[bool]:
    """Return for each row whether it is known to be among the best."""
    return [among_best is True for among_best in rows["among_best"].astype(object)]


def _undecided(group: pd.DataFrame, reference: str) -> list[str]:
    verdicts = group[f"verdict_vs_{reference}"]
    told = [
        f"{in_full(model, variant)}: {verdict}"
        for model, variant, verdict in zip(group["model"], group["variant"], verdicts, strict=True)
        if verdict.startswith("not distinguishable")
    ]
    if len(told) > _MOST_UNDECIDED:
        other = "the best" if reference == BEST else reference
        return [f"{len(told)} rows are not distinguishable from {other}: see table.md."]
    return told


def _pairs(report: Report, fields: list[str], most: int) -> list[Shape]:
    baselines = {entry.key.model for entry in report.study.entries if entry.key.is_baseline}
    pairs = report.pairs[~report.pairs["a"].isin(baselines) & ~report.pairs["b"].isin(baselines)]
    if pairs.empty:
        return []
    if len(pairs) > most:
        return [Heading("Pairs"), Remark(f"{len(pairs)} pairs of trained models were compared: see pairs.csv.")]
    tables = [
        Table(in_words_of(part["unit"].iloc[0], readable_pairs(part, fields)), title="Pairs") for part in by_kind(pairs)
    ]
    return [*tables, legend(_PAIRS_LEGEND)]


def _summary(report: Report, fields: list[str]) -> list[Shape]:
    if report.summary.empty:
        return []
    rows = readable_summary(report.summary, fields)
    return [Table(rows, title="Over targets"), *map(Remark, _rank_remarks(report, fields))]


def _brief_summary(report: Report) -> list[Shape]:
    return [
        shape._replace(rows=renamed(shape.rows, _SHORT), optional=("targets", "chem. acc."))
        if isinstance(shape, Table)
        else shape
        for shape in _summary(report, differing(report.sections))
    ]


def _rank_remarks(report: Report, fields: list[str]) -> Iterator[str]:
    """Say how far apart the mean ranks of two models must be to tell them apart."""
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


def _assumptions(report: Report) -> list[dict[str, str]]:
    known = {record.config["model"]["name"]: record.assumptions for record in report.study.records}
    return [{"model": name} | known[name] for name in sorted(known, key=model_order)]


def _origin(report: Report) -> str:
    """Name the splits, devices and versions that the figures were made with."""
    versions = (f"{package} {' or '.join(known)}" for package, known in report.provenance.versions.items())
    splits = (f"{section.split} of {section.source}" for section in report.sections)
    devices = ", ".join(report.provenance.devices)
    return f"Split: {', '.join(dict.fromkeys(splits))}. Device: {devices}. Versions: {', '.join(versions)}."


def _failed(report: Report) -> list[tuple[str, str]]:
    """Return the names of the failed runs, with their error messages."""
    return [(record.run, record.error.message) for record in report.study.records if record.error]
