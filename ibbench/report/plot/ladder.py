"""The ladder of assumptions as a waterfall: the bar of a rung starts at the error of the rung before it."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ibbench.compare.rows import Section
from ibbench.report.cells import FAULTY, error_name
from ibbench.report.cells import figure as written
from ibbench.report.plot.style import add_axes, new_figure, plain, with_unit

_STYLES = {  # by the first word of a verdict: colour, hatch, and what it means
    "better": ("#9ecae1", "", "better than the rung it differs from"),
    "worse": ("#fdae6b", "////", "worse"),
    "not": ("#d9d9d9", "....", "not distinguishable"),
    "no": ("white", "", f"no claim: a rung that has not converged, or loses to atom counts, is marked {FAULTY}"),
    "lower": ("#deebf7", "--", "lower, with one seed: not tested"),
    "higher": ("#fee6ce", "xx", "higher, with one seed: not tested"),
}


def draw_ladder(ladder: pd.DataFrame) -> Figure:
    """Draw the ladder of assumptions as a waterfall, one panel per target.

    Args:
        ladder: the rungs, with `ibbench.worth.ladder.COLUMNS`.

    Returns:
        A figure in which a bar spans from the error of the rung before to that of this one: plain where that is
        better, hatched where it is worse, dotted where it is not distinguishable.
    """
    groups = list(ladder.astype(object).groupby([*Section._fields, "target", "unit", "train_size"], sort=False))
    sections = ladder[list(Section._fields)].drop_duplicates()
    figure = new_figure(6.2 * len(groups), 0.42 * int(ladder["number"].nunique()) + 1.3)
    for axes, ((*section, target, unit, size), rows) in zip(add_axes(figure, 1, len(groups)), groups, strict=True):
        maes = dict(zip(rows["rung"], rows["mae_mean"], strict=True))
        for place, (_, row) in enumerate(rows.iterrows()):
            _draw(axes, place, row, maes)
        axes.set_yticks(range(len(rows)), [_name(row) for _, row in rows.iterrows()])
        axes.invert_yaxis()
        where = "" if len(sections) == 1 else f"\n{', '.join(map(str, section))}"
        told = [f"\nlabels ×: at {at:,.0f} train molecules" for at in rows["multiplier_at"].dropna().unique()]
        error = with_unit(f"test {error_name(str(unit))} of {target}", str(unit))
        axes.set_xlabel(plain(f"{error}, {size:,} train molecules{where}{''.join(told)}"))
        axes.grid(visible=False, axis="y")
    used = [
        style for word, style in _STYLES.items() if word in {_word(verdict) for verdict in ladder["verdict"].dropna()}
    ]
    handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="#404040") for colour, hatch, _ in used]
    figure.legend(handles, [meaning for *_, meaning in used], loc="outside upper center", ncols=min(3, len(groups)))
    return figure


def _name(row: "pd.Series[Any]") -> str:
    return f"{row['number']}. {row['rung']}" + (f" {FAULTY}" if row["fault"] else "")


def _draw(axes: Any, place: int, row: "pd.Series[Any]", maes: dict[str, float]) -> None:
    mae = row["mae_mean"]
    if pd.notna(row["gain"]):
        before = maes[row["after"]]
        colour, hatch, _ = _STYLES[_word(row["verdict"])]
        axes.barh(place, mae - before, left=before, height=0.6, color=colour, hatch=hatch, edgecolor="#404040", lw=0.6)
        text = f"{'+' if row['gain'] < 0 else ''}{written(-row['gain'], 3)}{_labels(row)}"
        beside = axes.get_yaxis_transform()
        axes.text(1.01, place, text, transform=beside, va="center", fontsize=7.5)
    reach = [[mae - row["mae_low"]], [row["mae_high"] - mae]] if pd.notna(row["mae_low"]) else None
    axes.errorbar(mae, place, xerr=reach, marker="o", markersize=4, color="black", capsize=2, elinewidth=0.9)


def _labels(row: "pd.Series[Any]") -> str:
    """Return the data multiplier in words, or the bound on it that the trained sizes allow."""
    if pd.isna(row["multiplier"]):
        return ""
    if row["multiplier"] == float("inf"):
        return f" (labels > ×{row['multiplier_most']:.2g})"
    if row["multiplier"] == 0:
        return f" (labels < ×{row['multiplier_least']:.2g})"
    return f" (labels ×{row['multiplier']:.2g})"


def _word(verdict: str) -> str:
    """Return the key of `_STYLES` for a verdict; identical errors are drawn as errors that are not distinguishable."""
    first = verdict.split()[0]
    return first if first in _STYLES else "not"
