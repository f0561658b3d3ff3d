"""`ibbench table`: the tables of a study, rebuilt from its records and printed."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ibbench.compare.comparison import Report, make_report
from ibbench.compare.study import read_study, refuse_untested
from ibbench.compare.summary import summarise
from ibbench.compare.table import select
from ibbench.compare.table_file import to_csv
from ibbench.compare.verdict import RELEVANCE, check_relevance
from ibbench.errors import InputError, suggest
from ibbench.options.words import TableFormat
from ibbench.record.cliffs import mark_cliffs
from ibbench.record.evidence import Packable, pack_evidence
from ibbench.record.folder import EVIDENCE, PAIRS, PROVENANCE, TABLE, TABLE_TEXT, StudyFolder
from ibbench.record.predictions import open_predictions
from ibbench.record.schema import Record
from ibbench.record.tables import refuse_if_edited, try_to_write, write_checked
from ibbench.report import json, latex, markdown, screen
from ibbench.report.comparison import brief, content, page, paper
from ibbench.report.document import Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.missing import tell_missing
from ibbench.report.untested import tell_untested
from ibbench.terminal import warn


class Tabulated(NamedTuple):
    """Whether a study could be read and its tables written in full.

    Attributes:
        is_written: whether the tables could be written, which fails in a folder of somebody else's.
        is_readable: whether all files of the study could be read.
        is_whole: whether no run of the study is missing.
    """

    is_written: bool
    is_readable: bool
    is_whole: bool


def tabulate(
    folder: Path,
    console: Console,
    style: str = "terminal",
    targets: list[str] | None = None,
    sort: str | None = None,
    relative_to: str | None = None,
    relevance: float = RELEVANCE,
) -> Tabulated:
    """Rebuild the tables of a study from its records, write them, and print one.

    Where the tables cannot be written, one is printed all the same.

    Args:
        folder: the folder of the study.
        console: the terminal to print on.
        style: one of `FORMATS`.
        targets: the targets to print the rows of; all if there are none.
        sort: the column that rows are sorted by within each target and train size, in descending order with `-`
            before it.
        relative_to: the model whose errors the printed ratios are relative to, instead of the best one's.
        relevance: the relative difference below which it does not matter which MAE is lower, in what is printed.

    Raises:
        InputError: the folder holds no records, its tables were edited by hand, or one of the arguments is not
            possible. No file is changed.
    """
    if style not in FORMATS:
        raise InputError(f"--format `{style}` is not possible: {suggest(style, FORMATS)}")
    check_relevance(relevance)
    study = read_study(folder)
    refuse_if_edited(folder)
    if study.untested and not study.entries:
        if style != "terminal":
            refuse_untested(study)
        screen.show(tell_untested(study), console)
        return Tabulated(True, study.is_readable, not study.missing)
    report = make_report(study)
    asked = relative_to is not None or relevance != RELEVANCE  # changes what is printed, never the files
    shown = _select(make_report(study, relative_to, relevance) if asked else report, targets or [], sort)
    files: dict[str, str | bytes] = {
        **_pack(folder, study.records),
        TABLE: to_csv(report.table),
        TABLE_TEXT: markdown.write(page(report)),
        PAIRS: to_csv(report.pairs),
    }
    reason = try_to_write(lambda: write_checked(folder, files, report.provenance.content()))
    if style == "terminal":
        names = [TABLE, TABLE_TEXT, PAIRS, PROVENANCE, *([EVIDENCE] if EVIDENCE in files else [])]
        outcome = f"Not written to {folder}: {reason}" if reason else f"Written to {folder}: {', '.join(names)}"
        screen.show([*brief(shown), *name_evidence(folder), Remark(outcome)], console)
    else:
        console.file.write(_WRITERS[style](shown))
        for line in (*tell_missing(study), *([f"Not written to {folder}: {reason}"] if reason else [])):
            warn(line)
    return Tabulated(not reason, study.is_readable, not study.missing)


def _pack(folder: Path, records: list[Record]) -> dict[str, str | bytes]:
    """Pack the evidence of a study. A study that has no runs, only evidence, keeps that as it is."""
    study = StudyFolder.at(folder)
    names = set(study.run_names())
    if not names:
        return {}

    sources = {record.run: record.data_source for record in records}

    def arrays_of(run: str) -> Packable | None:
        if run in names or not study.evidence:
            written = open_predictions(study.runs / run)
            return written and mark_cliffs(written, sources[run])
        return study.evidence.arrays(run)

    return {EVIDENCE: pack_evidence(records, arrays_of)}


_WRITERS: dict[str, Callable[[Report], str]] = {
    TableFormat.MD: lambda report: markdown.write(page(report)),
    TableFormat.CSV: lambda report: to_csv(report.table),
    TableFormat.LATEX: lambda report: latex.write(paper(report)),
    TableFormat.JSON: lambda report: json.write(content(report)),
}
FORMATS = tuple(TableFormat)


def _select(report: Report, targets: list[str], sort: str | None) -> Report:
    """Keep the rows of some targets, sorted; p-values stay corrected over all comparisons of the study."""
    report = report._replace(table=select(report.table, targets, sort))
    if not targets:
        return report
    entries = [entry for entry in report.study.entries if entry.key.group.target in targets]
    pairs = report.pairs[report.pairs["target"].isin(targets)]
    return report._replace(pairs=pairs, summary=summarise(entries))
