"""Reliability diagrams: does the deviation between seeds tell how far their mean errs? RMSE against stated error."""

import math
import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ibbench.compare.calibration import Calibration
from ibbench.report.cells import Notation
from ibbench.report.plot.style import add_axes, new_figure, plain, with_unit

_COLUMNS = 4  # panels in a row
_WIDEST = 30  # letters in a line of a title
_MARGIN = 1.3  # factor from the lowest and highest figures to the limits of the axes
_IDEAL = "#0072B2"


def draw_reliability(panels: dict[str, Calibration], target: str, unit: str) -> Figure:
    """Draw reliability diagrams, one panel per model, all with the same limits (Levi et al. 2019, arXiv:1905.11659).

    A point is a bin of test molecules. Its horizontal place is the error that the seeds state: the root of the variance
    of the error of the mean over seeds, averaged over molecules. Its vertical place is the RMSE of the mean over seeds.
    On the dashed line both are equal; points above it have larger errors than stated. Points would lie on the dotted
    line if the true value were one more seed. On the left the dotted line is above the dashed one, since the deviations
    of few seeds may be small by chance.

    Args:
        panels: the calibration of each model, by its name; each has at least one bin.
        target: the short name of the target.
        unit: the unit of its values.
    """
    titles = [[*textwrap.wrap(name, _WIDEST), _summary(one)] for name, one in panels.items()]
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(2.5 * columns + 1.0, (2.5 + 0.15 * max(map(len, titles))) * rows + 0.8)
    grid = add_axes(figure, rows, columns, sharex=True, sharey=True)
    limits = _limits(list(panels.values()))
    for axes, calibration, title in zip(grid, panels.values(), titles, strict=False):
        _draw(axes, calibration, limits)
        axes.set_title(plain("\n".join(title)), fontsize=8.5)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[: len(panels)][-columns:]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel(plain(with_unit(f"stated by the seeds: root mean variance of {target}", unit)), fontsize=9)
    figure.supylabel(plain(with_unit("RMSE of their mean", unit)), fontsize=9)
    figure.legend(handles=_legend(), loc="outside upper center", ncols=3, fontsize=8)
    return figure


def _limits(calibrations: list[Calibration]) -> tuple[float, float]:
    """Return the limits of both axes, in the unit of the values; figures of 0 have no place on logarithmic axes."""
    values = [value for one in calibrations for part in one.bins for value in (part.deviation, part.rmse) if value > 0]
    return min(values, default=1.0) / _MARGIN, max(values, default=1.0) * _MARGIN


def _draw(axes: Any, calibration: Calibration, limits: tuple[float, float]) -> None:
    stated = [part.deviation for part in calibration.bins]
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.plot(limits, limits, color="black", linewidth=0.7, linestyle=(0, (4, 3)))
    expected = [(part.deviation, part.ideal) for part in calibration.bins if part.ideal is not None]
    if expected:
        axes.plot(*zip(*expected, strict=True), color=_IDEAL, linewidth=1.2, linestyle=":")
    axes.plot(stated, [part.rmse for part in calibration.bins], "o-", color="black", markersize=4, linewidth=0.8)


def _summary(calibration: Calibration) -> str:
    parts = [f"{calibration.num_seeds} seeds", f"{calibration.coverage:.0%} in the 90 % interval".replace("%", " %", 1)]
    if calibration.ence is not None:
        parts.append(f"\nENCE {Notation(2).write(calibration.ence)}")
        if calibration.ence_ideal is not None:
            parts[-1] += f" ({Notation(2).write(calibration.ence_ideal)} if right)"
    return ", ".join(parts[:2]) + "".join(parts[2:])


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color="black", marker="o", markersize=4, linewidth=0.8, label="a tenth of the test molecules"),
        Line2D([], [], color="black", linewidth=0.7, linestyle=(0, (4, 3)), label="errs by what is stated"),
        Line2D([], [], color=_IDEAL, linewidth=1.2, linestyle=":", label="if the true value were one more seed"),
    ]
