"""Predicted against true values of the test molecules."""

import math
import textwrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibbench.report.cells import figure as written
from ibbench.report.plot.style import add_axes, new_figure, plain, with_unit

_COLUMNS = 4  # panels in a row
_WIDEST = 36  # letters in a line of a title
_PALEST = 0.2  # number of molecules in a cell that would be white, so that a cell with one molecule is grey
_OUTSIDE = "#D55E00"
Floats = NDArray[np.float64]


class Panel(NamedTuple):
    """The values that are drawn for one model.

    Attributes:
        truth: true values of the test molecules, in the target's unit, `[M]`.
        prediction: predictions of these molecules by one seed, in the target's unit, `[M]`.
        seed: the seed.
    """

    truth: Floats
    prediction: Floats
    seed: int


def draw_parity(panels: dict[str, Panel], target: str, unit: str) -> Figure:
    """Draw predicted against true values, one panel per model, darker where there are more molecules.

    All panels have the same limits, which leave out a thousandth of the true values. Molecules beyond the limits are
    marked at the edge, and counted.

    Args:
        panels: the values to draw, by the name of the model.
        target: the short name of the target.
        unit: the unit of the values.
    """
    titles = [[*textwrap.wrap(name, _WIDEST), _summary(panel, unit)] for name, panel in panels.items()]
    lines = max(map(len, titles))
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    picture = new_figure(2.7 * columns + 0.6, (2.75 + 0.15 * lines) * rows + 0.6)
    truths = np.concatenate([panel.truth for panel in panels.values()])
    low, high = np.quantile(truths, [0.0005, 0.9995])
    margin = 0.05 * (high - low or 1.0)
    window = (float(low - margin), float(high + margin))
    grid = add_axes(picture, rows, columns, sharex=True, sharey=True)
    for axes, panel, title in zip(grid, panels.values(), titles, strict=False):
        _draw(axes, panel, window)
        axes.set_title(plain("\n".join(title)), fontsize=8.5)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[: len(panels)][-columns:]:
        axes.tick_params(labelbottom=True)
    picture.supxlabel(plain(with_unit(f"true {target}", unit)), fontsize=9)
    picture.supylabel(plain(with_unit(f"predicted {target}", unit)), fontsize=9)
    return picture


def _draw(axes: Any, panel: Panel, window: tuple[float, float]) -> None:
    # Cells are drawn as pixels, since an SVG of thousands of hexagons would be large.
    shade = {"cmap": "Greys", "norm": LogNorm(vmin=_PALEST), "mincnt": 1, "rasterized": True}
    axes.hexbin(panel.truth, panel.prediction, gridsize=60, extent=(*window, *window), **shade)
    axes.plot(window, window, color="black", linewidth=0.7, linestyle=(0, (4, 3)))
    outside = find_outside(panel, window)
    if outside.any():
        at = [np.clip(values[outside], *window) for values in (panel.truth, panel.prediction)]
        axes.plot(*at, "x", color=_OUTSIDE, markersize=4, clip_on=False)
        text = f"× {outside.sum():,} beyond the edges"
        axes.text(0.03, 0.97, text, transform=axes.transAxes, color=_OUTSIDE, fontsize=7, va="top")
    axes.set(xlim=window, ylim=window, aspect="equal")


def find_outside(panel: Panel, window: tuple[float, float]) -> NDArray[np.bool_]:
    """Return which molecules have a true or predicted value beyond the limits, bool `[M]`.

    Args:
        panel: true and predicted values.
        window: the lower and the upper limit, in the target's unit.
    """
    low, high = window
    values = np.stack([panel.truth, panel.prediction])
    return np.asarray(((values < low) | (values > high)).any(0))


def _summary(panel: Panel, unit: str) -> str:
    """Return the MAE, R² and seed of a panel as text; there is no R² if all true values are the same."""
    errors = panel.prediction - panel.truth
    spread = ((panel.truth - panel.truth.mean()) ** 2).sum()
    parts = [f"MAE {written(float(np.abs(errors).mean()), 3)} {unit}".strip()]
    parts += [f"R² {1 - (errors**2).sum() / spread:.3g}"] if spread > 0 else []
    return ", ".join([*parts, f"seed {panel.seed}"])
