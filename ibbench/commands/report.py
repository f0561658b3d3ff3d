"""`ibbench report`: all results of a study, or the difference of two studies, as one HTML page."""

from pathlib import Path

from rich.console import Console

from ibbench.compare.comparison import make_report
from ibbench.compare.diff import diff
from ibbench.compare.missing import count_missing
from ibbench.compare.side import Side, read_side
from ibbench.compare.study import Study, read_study, refuse_untested
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.report import html, screen
from ibbench.report.diff import page as page_of_diff
from ibbench.report.diff import provenance_of_sides
from ibbench.report.document import Document, Heading, Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.missing import tell_missing
from ibbench.report.plot.history import draw_histories
from ibbench.report.plot.study import draw_parts, find_largest
from ibbench.report.study_page import Told, page
from ibbench.report.worst import tell_all_worst
from ibbench.worth.worth import Worth, make_worth

REPORT, DIFFERENCE = "report.html", "diff.html"
_TOLERANCE = 0.02  # the default of `ibbench diff`


def show_report(old: str, new: str | None, console: Console, output: Path | None = None) -> bool:
    """Write one HTML page about a study, or about what has changed between two.

    Args:
        old: the folder of the study; with `new`, the old side, as `ibbench diff` takes it.
        new: the new side, as `ibbench diff` takes it; None for a page about one study.
        console: the terminal to print on.
        output: the file to write; None for `report.html` in the folder of the study, or `diff.html` in that of `new`.

    Returns:
        Whether no run is missing.

    Raises:
        InputError: there is no such study, nothing in it is trained, or the output is not possible. Nothing is written.
    """
    output = _check(output or _usual_output(old, new))
    if new is None:
        study = read_study(old)
        document = tell_study(study, Path(old))
        said, is_whole = [*map(Remark, tell_missing(study)), *name_evidence(Path(old))], not study.missing
        title = f"{study.name}: ibbench"
    else:
        sides = read_side(old), read_side(new)
        document = _tell_diff(*sides)
        said, is_whole = [], not any(side.missing for side in sides)
        title = f"{old} and {new}: ibbench"
    content = html.write(document, title).encode()
    try:
        write_atomically(output, content)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}. `--output FILE` names another") from None
    screen.show([*said, Remark(f"Written to {output} ({len(content) / 1e6:.1f} MB)")], console, fold=False)
    return is_whole


def _usual_output(old: str, new: str | None) -> Path:
    if new is None:
        if not Path(old).is_dir():
            raise InputError(f"{old} is not a study: expected its folder, such as results/quick")
        return Path(old) / REPORT
    if not Path(new).is_dir():
        raise InputError(f"`{new}` is no folder that the page could lie in: expected --output FILE")
    return Path(new) / DIFFERENCE


def _check(output: Path) -> Path:
    """Refuse an output that cannot be written, or would replace a file that `ibbench report` has not written."""
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"`--output {output}` is not possible: expected a file in a folder that is there")
    if output.exists() and not html.is_ours(output.read_bytes()):
        raise InputError(
            f"{output} is there already, and `ibbench report` has not written it: expected another --output"
        )
    return output


def tell_study(study: Study, folder: Path) -> Document:
    """Return the document with all results of a study.

    Args:
        study: the study, as `read_study` returns it.
        folder: the folder of the study, which has predictions and histories.

    Raises:
        InputError: no run of the study is finished.
    """
    refuse_untested(study)
    largest = find_largest(study)
    if not largest:
        raise InputError(f"{folder} has no finished run to report. {count_missing(study.missing, study.num_runs)}")
    told = Told(
        make_report(study),
        _read_worth(study),
        draw_parts(study, folder, apart=True),
        tell_all_worst(study, folder, largest),
        draw_histories(study, folder),
    )
    return page(told)


def _read_worth(study: Study) -> Worth | None:
    """Compute what the assumptions are worth; None where the study has neither learning curves nor a ladder."""
    try:
        return make_worth(study)
    except InputError:
        return None


def _tell_diff(old: Side, new: Side) -> Document:
    compared = diff(old, new, _TOLERANCE)
    if not compared.compared:
        raise InputError(f"nothing in {old.name} and {new.name} can be compared: {' '.join(compared.changes)}")
    return [
        Heading(f"{old.name} → {new.name}", level=1),
        *page_of_diff(compared),
        Heading("Provenance"),
        *provenance_of_sides(old, new),
    ]
