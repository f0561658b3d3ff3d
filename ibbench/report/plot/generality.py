"""What assumptions are worth on several data sets, as a heat map."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ibbench.report.cells import FAULTY
from ibbench.report.generality import bounded, usual_together
from ibbench.report.plot.style import add_axes, new_figure, plain
from ibbench.worth.generality import USUAL_KINDS


def draw_generality(worth: pd.DataFrame) -> Figure:
    """Draw the factor of labels that each step is worth, one panel per kind of split.

    Args:
        worth: the steps on each data set, with `ibbench.worth.generality.COLUMNS`.

    Returns:
        A figure with a row per data set and a column per step. Colours are of the logarithm of the factor, violet
        where A is worth more and orange where B is; a factor that the table does not tell from 1 is in brackets.
    """
    worth = worth.assign(kind=usual_together(worth))
    kinds = sorted(dict.fromkeys(worth["kind"]), key=lambda kind: not kind.startswith(USUAL_KINDS))
    steps = list(dict.fromkeys(zip(worth["a"], worth["b"], strict=True)))
    datasets = list(dict.fromkeys(worth["dataset"]))
    figure = new_figure(2.2 + 1.45 * len(steps) * len(kinds), 0.42 * len(datasets) + 1.7)
    most = float(worth["worth_most"].max())
    norm = TwoSlopeNorm(0.0, -math.log2(most), math.log2(most))
    panels = add_axes(figure, 1, len(kinds), sharey=True)
    image = None
    for axes, kind in zip(panels, kinds, strict=True):
        shown = np.full((len(datasets), len(steps)), np.nan)
        for _, row in worth[worth["kind"] == kind].astype(object).iterrows():
            place = datasets.index(row["dataset"]), steps.index((row["a"], row["b"]))
            shown[place] = math.log2(min(max(row["worth"], 1 / most), most))
            axes.text(place[1], place[0], _written(row), ha="center", va="center", fontsize=7.5)
        image = axes.imshow(shown, cmap="PuOr", norm=norm, aspect="auto", alpha=0.6)
        axes.set_xticks(range(len(steps)), [plain(f"{a}\nover {b}") for a, b in steps], fontsize=7)
        axes.set_yticks(range(len(datasets)), [plain(name) for name in datasets])
        axes.set_title(plain(f"{kind} split"))
        axes.grid(visible=False)
    at = float(worth["at"].iloc[0])
    figure.supxlabel(plain(f"factor of labels that an assumption is worth at {at:,.0f} labels; (not told from 1)"))
    if image is not None:
        bar = figure.colorbar(image, ax=panels, fraction=0.03, pad=0.02)
        ticks = [-math.log2(most), 0, math.log2(most)]
        bar.set_ticks(ticks, labels=[f"1/{most:.2g}", "1", f"{most:.2g}"])
    return figure


def _written(row: "pd.Series[Any]") -> str:
    text = bounded(row["worth"], row) + ("" if row["sound"] else FAULTY)
    return f"({text})" if row["verdict"] == "open" else text
