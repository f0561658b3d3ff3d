"""`ibbench diff`: what has changed between two studies, printed as text, as Markdown or as JSON."""

from rich.console import Console

from ibbench.compare.diff import diff
from ibbench.compare.side import read_side
from ibbench.compare.verdict import RELEVANCE, check_relevance
from ibbench.errors import InputError, suggest
from ibbench.options.words import DiffFormat, FailOn
from ibbench.report import json, markdown, screen
from ibbench.report.diff import brief, content, page
from ibbench.report.document import Remark

FORMATS = tuple(DiffFormat)
_FOUND = {
    "regression": "There is a regression",
    "unproven": "A relevant regression is there or cannot be excluded",
    "change": "There is a change",
}


def show_diff(
    old: str, new: str, console: Console, style: str, fail_on: str, tolerance: float, relevance: float = RELEVANCE
) -> bool:
    """Print how side B differs from side A.

    Args:
        old: side A: the folder of a study, a table.csv, or `REVISION:path` of a git repository.
        new: side B, given in one of these ways, too.
        console: the terminal to print on.
        style: one of `FORMATS`.
        fail_on: the kind of change that counts as a failure: `regression`, `unproven` (a relevant regression cannot be
            excluded), `change` or `never`.
        tolerance: the relative change of an MAE that counts as no change, where one seed leaves nothing to test with.
        relevance: the relative difference below which it does not matter which MAE is lower.

    Returns:
        Whether the difference is of the kind that `fail_on` names, or a side lacks runs.

    Raises:
        InputError: a side cannot be read, they cannot be compared, or an option is not possible.
    """
    if style not in FORMATS:
        raise InputError(f"--format `{style}` is not possible: {suggest(style, FORMATS)}")
    if fail_on not in tuple(FailOn):
        raise InputError(f"--fail-on `{fail_on}` is not possible: {suggest(fail_on, FailOn)}")
    if not 0 <= tolerance < 1:
        raise InputError(f"--tolerance {tolerance} is not possible: expected a fraction, such as 0.02 for 2 %")
    check_relevance(relevance)
    compared = diff(read_side(old), read_side(new), tolerance, relevance)
    if fail_on != "never" and not compared.compared:
        raise InputError(f"nothing in {old} and {new} can be compared: {' '.join(compared.changes)}")
    fails = compared.fails(FailOn(fail_on))
    incomplete = any(compared.missing)
    if style == "terminal":
        reason = _FOUND[fail_on] if fails else "A side is incomplete" if incomplete else ""
        outcome = [Remark(f"{reason}: exit code 1.")] if reason else []
        screen.show([*brief(compared), *outcome], console)
    else:
        console.file.write(markdown.write(page(compared)) if style == "md" else json.write(content(compared, fails)))
    return fails or incomplete
