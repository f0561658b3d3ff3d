"""`ibbench plot`: all pictures that can be drawn of a study, written to its folder."""

from pathlib import Path

from rich.console import Console

from ibbench.compare.study import read_study
from ibbench.record.tables import try_to_write
from ibbench.report import screen
from ibbench.report.document import Picture, Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.plot.study import draw_study
from ibbench.report.plot.style import save


def show_plots(folder: Path, console: Console, by: str = "labels") -> bool:
    """Draw the pictures of a study, and save them in its folder as PNG and SVG; say so if the folder is read-only.

    Args:
        folder: the folder of the study.
        console: the terminal to print on.
        by: the axis of learning curves: `labels`, `seconds` or `parameters`.

    Returns:
        Whether the pictures are written, and no run of the study is missing.

    Raises:
        InputError: there are no finished runs, or `by` is not possible. Nothing is written.
    """
    study = read_study(folder)
    shapes = draw_study(study, folder, by)
    names: list[str] = []
    reason = try_to_write(
        lambda: names.extend(name for shape in shapes if isinstance(shape, Picture) for name in save(shape, folder))
    )
    remarks = [shape for shape in shapes if isinstance(shape, Remark)]
    outcome = f"Not written to {folder}: {reason}" if reason else f"Written to {folder}: {', '.join(names)}"
    screen.show([*remarks, *name_evidence(folder), Remark(outcome)], console, fold=False)
    return not reason and not study.missing
