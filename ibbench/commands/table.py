"""`ibbench table`: the tables of a study, rebuilt from its records and printed."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from ibbench.compare.comparison import Report, make_report
from ibbench.compare.study import read_study
from ibbench.compare.summary import summarise
from ibbench.compare.table import select
from ibbench.compare.table_file import to_csv
from ibbench.compare.verdict import RELEVANCE, check_relevance
from ibbench.errors import InputError, suggest
from ibbench.record.folder import PAIRS, PROVENANCE, TABLE, TABLE_TEXT, TUNING
from ibbench.record.lease import TakenError
from ibbench.record.tables import refuse_if_edited, write_checked
from ibbench.report import json, latex, markdown, screen
from ibbench.report.comparison import brief, content, page, tables
from ibbench.report.document import Remark


def tabulate(
    folder: Path,
    console: Console,
    style: str = "terminal",
    targets: list[str] | None = None,
    sort: str | None = None,
    relative_to: str | None = None,
    relevance: float = RELEVANCE,
) -> bool:
    """Rebuild the tables of a study from its records, and print one.

    Args:
        folder: the folder of the study.
        console: where to print.
        style: one of `FORMATS`.
        targets: the targets to print the rows of; all if there are none.
        sort: the column that rows are sorted by within each target and train size, in descending order with `-`
            before it.
        relative_to: the model whose errors the printed ratios are relative to, instead of the best one's.
        relevance: the relative difference below which it does not matter which MAE is lower, in what is printed.

    Returns:
        Whether the tables could be written, too: in a colleague's study they cannot.

    Raises:
        InputError: the folder holds no records or one that cannot be read, its tables were edited by hand, or one
            of the arguments is not possible. No file is changed.
    """
    if style not in FORMATS:
        raise InputError(f"--format `{style}` is not possible: {suggest(style, FORMATS)}")
    check_relevance(relevance)
    study = read_study(folder)
    refuse_if_edited(folder)
    report = make_report(study)
    asked = relative_to is not None or relevance != RELEVANCE  # the files have what all readers expect
    shown = _select(make_report(study, relative_to, relevance) if asked else report, targets or [], sort)
    files = {
        TABLE: to_csv(report.table),
        TABLE_TEXT: markdown.write(page(report)),
        PAIRS: to_csv(report.pairs),
        **({TUNING: to_csv(report.tuning)} if len(report.tuning) else {}),
    }
    reason = ""
    try:
        write_checked(folder, files, report.provenance.model_dump(mode="json"))
    except (OSError, TakenError) as error:  # a colleague's study, or one on a full disk, can be looked at all the same
        reason = getattr(error, "strerror", None) or str(error)
    if style == "terminal":
        names = [TABLE, TABLE_TEXT, PAIRS, PROVENANCE, *([TUNING] if TUNING in files else [])]
        outcome = f"Not written to {folder}: {reason}" if reason else f"Written to {folder}: {', '.join(names)}"
        screen.show([*brief(shown), Remark(outcome)], console)
    else:
        console.file.write(_WRITERS[style](shown))
    return not reason


_WRITERS: dict[str, Callable[[Report], str]] = {
    "md": lambda report: markdown.write(page(report)),
    "csv": lambda report: to_csv(report.table),
    "latex": lambda report: latex.write(tables(report)),
    "json": lambda report: json.write(content(report)),
}
FORMATS = ("terminal", *_WRITERS)


def _select(report: Report, targets: list[str], sort: str | None) -> Report:
    """Keep what concerns some targets; p-values stay corrected over all that were measured."""
    report = report._replace(table=select(report.table, targets, sort))
    if not targets:
        return report
    entries = [entry for entry in report.study.entries if entry.key.group.target in targets]
    pairs, tuning = (frame[frame["target"].isin(targets)] for frame in (report.pairs, report.tuning))
    return report._replace(pairs=pairs, tuning=tuning, summary=summarise(entries))
