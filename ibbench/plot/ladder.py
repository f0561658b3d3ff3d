"""The ladder of assumptions as a waterfall: each rung goes down, or up, from the one that it differs from."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ibbench.plot.style import add_axes, new_figure

_BETTER, _WORSE, _TIED = ("#9ecae1", ""), ("#fdae6b", "////"), ("#d9d9d9", "....")


def draw_ladder(ladder: pd.DataFrame) -> Figure:
    """Draw the rungs, a panel a target.

    Args:
        ladder: with `ibbench.worth.ladder.COLUMNS`. A bar spans from the error of the rung before to that of this
            one: plain where that is better, hatched where it is worse, dotted where it is not distinguishable.
    """
    groups = list(ladder.astype(object).groupby(["target", "unit", "train_size"], sort=False))
    figure = new_figure(6.2 * len(groups), 0.42 * int(ladder["number"].nunique()) + 1.3)
    for axes, ((target, unit, size), rows) in zip(add_axes(figure, 1, len(groups)), groups, strict=True):
        maes = dict(zip(rows["rung"], rows["mae_mean"], strict=True))
        for place, (_, row) in enumerate(rows.iterrows()):
            _draw(axes, place, row, maes)
        axes.set_yticks(range(len(rows)), [f"{row['number']}. {row['rung']}" for _, row in rows.iterrows()])
        axes.invert_yaxis()
        axes.set_xlabel(f"test MAE of {target} ({unit}), {size:,} train molecules")
        axes.grid(visible=False, axis="y")
    handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="#404040") for colour, hatch in (_BETTER, _WORSE, _TIED)]
    names = ["better than the rung it differs from", "worse", "not distinguishable"]
    figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def _draw(axes: Any, place: int, row: "pd.Series[Any]", maes: dict[str, float]) -> None:
    mae = row["mae_mean"]
    if pd.notna(row["gain"]):
        before = maes[row["after"]]
        colour, hatch = _style(str(row["verdict"]))
        axes.barh(place, mae - before, left=before, height=0.6, color=colour, hatch=hatch, edgecolor="#404040", lw=0.6)
        text = f"{-row['gain']:+.3f}"
        if pd.notna(row["multiplier"]) and 0 < row["multiplier"] < float("inf"):
            text += f" (labels ×{row['multiplier']:.2g})"
        beside = axes.get_yaxis_transform()
        axes.text(1.01, place, text, transform=beside, va="center", fontsize=7.5)
    reach = [[mae - row["mae_low"]], [row["mae_high"] - mae]] if pd.notna(row["mae_low"]) else None
    axes.errorbar(mae, place, xerr=reach, marker="o", markersize=4, color="black", capsize=2, elinewidth=0.9)


def _style(verdict: str) -> tuple[str, str]:
    return {"better": _BETTER, "worse": _WORSE}.get(verdict.split()[0], _TIED)
