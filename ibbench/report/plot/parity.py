"""Predicted against true values of the test molecules."""

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibbench.report.plot.style import add_axes, new_figure, plain

_COLUMNS = 4
Floats = NDArray[np.float64]


def draw_parity(panels: dict[str, tuple[Floats, Floats]], target: str, unit: str) -> Figure:
    """Draw one panel per model, darker where more molecules lie, with the same limits.

    Args:
        panels: the true and the predicted values of one seed, `[M]` each, by model.
        target: the short name of the target.
        unit: the unit of the values.
    """
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(2.7 * columns + 0.6, 2.6 * rows + 0.4)
    truths = np.concatenate([truth for truth, _ in panels.values()])
    low, high = np.quantile(truths, [0.0005, 0.9995])
    margin = 0.05 * (high - low or 1.0)
    window = (low - margin, high + margin)
    grid = add_axes(figure, rows, columns, sharex=True, sharey=True)
    for axes, (model, (truth, prediction)) in zip(grid, panels.items(), strict=False):
        extent = (*window, *window)
        shade = {"cmap": "Greys", "norm": LogNorm(), "mincnt": 1, "rasterized": True}  # thousands of cells, in an SVG
        axes.hexbin(truth, prediction, gridsize=60, extent=extent, **shade)
        axes.plot(window, window, color="black", linewidth=0.7, linestyle=(0, (4, 3)))
        mae = np.abs(prediction - truth).mean()
        axes.set_title(plain(f"{model}\nMAE {mae:.3g} {unit}"), fontsize=8.5)
        axes.set(xlim=window, ylim=window, aspect="equal")
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[: len(panels)][-columns:]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel(plain(f"true {target} ({unit})"), fontsize=9)
    figure.supylabel(plain(f"predicted {target} ({unit})"), fontsize=9)
    return figure
