"""Pictures of classes: how well probabilities rank molecules (ROC curves), and whether they are right (reliability)."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ibbench.report.plot.style import add_axes, looks, new_figure, plain

_COLUMNS = 4  # panels in a row
_WIDEST = 30  # letters in a line of a title
_NUM_BINS = 10  # as in the calibration error of tables
_MOST_INSIDE = 8  # models whose names find room below the curves
_GREY = "#707070"
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Probabilities(NamedTuple):
    """The probabilities that are drawn for one model.

    Attributes:
        probability: probability of class 1 by each seed, `[S, M]`.
        positive: whether each test molecule is of class 1, `[M]`.
        auroc: area under the ROC curve as the table tells it, averaged over seeds.
        error: calibration error as the table tells it, averaged over seeds.
        by_chance: the calibration error to expect if every probability were right.
    """

    probability: Floats
    positive: Flags
    auroc: float
    error: float
    by_chance: float


def draw_roc(models: dict[str, Probabilities], target: str) -> Figure:
    """Draw the ROC curves of all models in one panel, one line per seed.

    A curve tells for each threshold which share of class 1 has a higher probability (vertical), and which share of
    class 0 has one as well (horizontal).

    Args:
        models: the probabilities by the name of the model.
        target: the short name of the target.
    """
    outside = len(models) > _MOST_INSIDE
    figure = new_figure(8.6 if outside else 4.6, 4.6)
    (axes,) = add_axes(figure, 1, 1)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.7, linestyle=(0, (4, 3)))
    look = looks(list(models))
    handles = []
    for name, one in models.items():
        style = {"color": look[name].color, "linestyle": look[name].linestyle, "linewidth": 1.0}
        for row in one.probability:
            axes.plot(*find_roc(row, one.positive), alpha=0.8, **style)
        handles.append(Line2D([], [], **style, label=plain(f"{name}: AUROC {one.auroc:.3f}")))
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel(plain(f"share of {target} = 0 above the threshold"))
    axes.set_ylabel(plain(f"share of {target} = 1 above the threshold"))
    if outside:
        figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    else:
        axes.legend(handles=handles, loc="lower right", fontsize=8)
    return figure


def find_roc(score: Floats, positive: Flags) -> tuple[Floats, Floats]:
    """Return the corners of a ROC curve: false and true positive rates from 0 to 1; ties are one slanted piece.

    Args:
        score: a score that should be higher for class 1, `[M]`.
        positive: whether each molecule is of class 1, `[M]`.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = np.cumsum(positive[order])[ends] / positive.sum()
    false = np.cumsum(~positive[order])[ends] / (~positive).sum()
    return np.append(0.0, false), np.append(0.0, true)


def draw_class_reliability(models: dict[str, Probabilities], target: str) -> Figure:
    """Draw which share of molecules is of class 1 against the probability that is stated, one panel per model.

    A point is a bin of a seed's test molecules: ten bins by rising probability, of as many molecules each. The bar at
    a point is the range in which nineteen of twenty shares would lie if the probabilities in the bin were right.

    Args:
        models: the probabilities by the name of the model.
        target: the short name of the target.
    """
    titles = [[*textwrap.wrap(name, _WIDEST), _summary(one)] for name, one in models.items()]
    columns = min(_COLUMNS, len(models))
    rows = math.ceil(len(models) / columns)
    figure = new_figure(2.5 * columns + 1.0, (2.5 + 0.15 * max(map(len, titles))) * rows + 0.8)
    grid = add_axes(figure, rows, columns, sharex=True, sharey=True)
    for axes, one, title in zip(grid, models.values(), titles, strict=False):
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.7, linestyle=(0, (4, 3)))
        for row in one.probability:
            _draw_bins(axes, row, one.positive)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_title(plain("\n".join(title)), fontsize=8.5)
    for axes in grid[len(models) :]:
        axes.set_visible(False)
    for axes in grid[: len(models)][-columns:]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel(plain(f"stated probability of {target} = 1"), fontsize=9)
    figure.supylabel(plain(f"share of {target} = 1"), fontsize=9)
    figure.legend(handles=_legend(), loc="outside upper center", ncols=3, fontsize=8)
    return figure


def _draw_bins(axes: Any, probability: Floats, positive: Flags) -> None:
    parts = np.array_split(np.argsort(probability, kind="stable"), min(_NUM_BINS, len(probability)))
    stated = np.array([probability[part].mean() for part in parts])
    found = np.array([positive[part].mean() for part in parts])
    spread = [1.96 * math.sqrt((probability[part] * (1 - probability[part])).sum()) / len(part) for part in parts]
    axes.errorbar(stated, stated, yerr=spread, fmt="none", ecolor="#B0B0B0", elinewidth=3, alpha=0.5, zorder=1)
    axes.plot(stated, found, "o-", color="black", markersize=3, linewidth=0.6, alpha=0.8)


def _summary(one: Probabilities) -> str:
    seeds = f"{len(one.probability)} {'seed' if len(one.probability) == 1 else 'seeds'}"
    return f"{seeds}, error {one.error:.3f} ({one.by_chance:.3f} by chance)"


def _legend() -> Sequence[Line2D]:
    return [
        Line2D([], [], color="black", marker="o", markersize=3, linewidth=0.6, label="a tenth of the test molecules"),
        Line2D([], [], color="black", linewidth=0.7, linestyle=(0, (4, 3)), label="is what is stated"),
        Line2D([], [], color="#B0B0B0", linewidth=3, label="19 of 20 if right"),
    ]
