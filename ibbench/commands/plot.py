"""`ibbench plot`: all pictures that a study gives, written to its folder."""

from pathlib import Path

from rich.console import Console

from ibbench.report import screen
from ibbench.report.document import Picture, Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.plot.study import draw_study
from ibbench.report.plot.style import save


def show_plots(folder: Path, console: Console, by: str = "labels") -> None:
    """Draw what a study has, and save it in its folder as PNG and SVG.

    Args:
        folder: the folder of the study.
        console: where to print.
        by: the axis of learning curves: `labels`, `seconds` or `parameters`.

    Raises:
        InputError: there are no finished runs, or `by` is not possible. Nothing is written.
    """
    shapes = draw_study(folder, by)
    names = [name for shape in shapes if isinstance(shape, Picture) for name in save(shape, folder)]
    remarks = [shape for shape in shapes if isinstance(shape, Remark)]
    screen.show(
        [*remarks, *name_evidence(folder), Remark(f"Written to {folder}: {', '.join(names)}")], console, fold=False
    )
