"""`ibbench table`: the tables of a study, rebuilt from its records and printed."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from ibbench.compare.comparison import Report, make_report
from ibbench.compare.study import read_study
from ibbench.compare.summary import summarise
from ibbench.compare.table import select
from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError, suggest
from ibbench.record.folder import PAIRS, PROVENANCE, TABLE, TABLE_TEXT, TUNING
from ibbench.record.lease import TakenError
from ibbench.record.tables import refuse_if_edited, write_checked
from ibbench.report.render import to_json, to_latex, to_markdown
from ibbench.report.screen import to_terminal


def tabulate(
    folder: Path,
    console: Console,
    style: str = "terminal",
    targets: list[str] | None = None,
    sort: str | None = None,
    relative_to: str | None = None,
) -> bool:
    """Rebuild the tables of a study from its records, and print one.

    Args:
        folder: of the study.
        console: where to print.
        style: one of `FORMATS`.
        targets: print the rows of these only; all if there are none.
        sort: print rows in the order of this column within each target and train size; `-` before it reverses.
        relative_to: print ratios to this model rather than to the best.

    Returns:
        Whether the tables could be written, too.

    Raises:
        InputError: the folder holds no records or one that cannot be read, its tables were edited by hand, or one
            of the arguments is not possible. No file is changed.
    """
    if style not in FORMATS:
        raise InputError(f"--format `{style}` is not possible: {suggest(style, FORMATS)}")
    with _memory_kept():
        return _tabulate(folder, console, style, targets or [], sort, relative_to)


def _tabulate(
    folder: Path, console: Console, style: str, targets: list[str], sort: str | None, relative_to: str | None
) -> bool:
    study = read_study(folder)
    refuse_if_edited(folder)
    report = make_report(study)
    shown = _selected(make_report(study, relative_to) if relative_to else report, targets, sort)
    files = {
        TABLE: to_csv(report.table),
        TABLE_TEXT: to_markdown(report),
        PAIRS: to_csv(report.pairs),
        **({TUNING: to_csv(report.tuning)} if len(report.tuning) else {}),
    }
    reason = ""
    try:
        write_checked(folder, files, report.provenance.model_dump(mode="json"))
    except (OSError, TakenError) as error:  # a colleague's study, or one on a full disk, can be looked at all the same
        reason = getattr(error, "strerror", None) or str(error)
    if style == "terminal":
        console.print(to_terminal(shown, console.width), markup=False)
        outcome = (
            f"Not written to {folder}: {reason}"
            if reason
            else f"Written to {folder}: {', '.join([*files, PROVENANCE])}"
        )
        console.print(outcome, markup=False, highlight=False)
    else:
        console.file.write(_WRITERS[style](shown))
    return not reason


@contextlib.contextmanager
def _memory_kept() -> Iterator[None]:
    """Keep memory until the end, of a thousand runs seconds are saved by it.

    Python does not look for garbage, of which there is next to none. And glibc does not hand each array's memory back
    to the system, to ask for it anew for the next: it keeps blocks as large as the largest that was freed so far.
    """
    np.empty(2**21)  # freed at once, and never touched
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


_WRITERS: dict[str, Callable[[Report], str]] = {
    "md": to_markdown,
    "csv": lambda report: to_csv(report.table),
    "latex": to_latex,
    "json": to_json,
}
FORMATS = ("terminal", *_WRITERS)


def _selected(report: Report, targets: list[str], sort: str | None) -> Report:
    """Keep what concerns some targets; p-values stay corrected over all that were measured."""
    report = report._replace(table=select(report.table, targets, sort))
    if not targets:
        return report
    entries = [entry for entry in report.study.entries if entry.key.group.target in targets]
    pairs, tuning = (frame[frame["target"].isin(targets)] for frame in (report.pairs, report.tuning))
    return report._replace(pairs=pairs, tuning=tuning, summary=summarise(entries))
