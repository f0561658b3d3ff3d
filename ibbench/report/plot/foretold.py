"""What untrained kernels foretell against what training has reached: one panel per target and train size."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ibbench.probes.subject.foretell import Foretold
from ibbench.probes.subject.scores import ALL_TARGETS
from ibbench.report.plot.style import add_axes, looks, new_figure, plain, with_unit

_MOST_COLUMNS = 4  # panels side by side
_MOST_BELOW = 4  # models of the legend side by side


def draw_foretold(foretold: Foretold) -> Figure | None:
    """Draw the evidence of each untrained kernel against the test MAE of the trained model.

    Args:
        foretold: what was foretold, and how well it holds.

    Returns:
        A figure with 95 % intervals over seeds, and Spearman's correlation above each panel; None if no model is
        trained.
    """
    ranked = foretold.ranked[foretold.ranked["measured"].notna()]
    if ranked.empty:
        return None
    panels = list(ranked.groupby(["target", "train_size"], sort=False))
    columns = min(_MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    style = looks(list(ranked["name"]))
    lines = -(-len(style) // _MOST_BELOW)
    figure = new_figure(max(3.1 * columns, 7.0), 2.7 * rows + 0.22 * lines + (1.5 if len(panels) == 1 else 0.3))
    every = add_axes(figure, rows, columns)
    for axes, ((target, size), group) in zip(every, panels, strict=False):
        for _, row in group.iterrows():
            look = style[row["name"]]
            axes.errorbar(
                row["bits"], row["measured"], xerr=_reach(row, "bits"), yerr=_reach(row, "measured"), color=look.color,
                marker=look.marker, linestyle="none", markersize=4.5, capsize=2, elinewidth=0.7,
                label=plain(row["name"]),
            )  # fmt: skip
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:.3g}")
        axes.yaxis.set_minor_formatter("{x:.3g}")
        axes.tick_params(axis="y", which="both", labelsize=7)
        axes.set_title(
            plain(f"{target}, {size:,} labels{_correlation(foretold.scores, target, size)}"), fontsize="small"
        )
        axes.set_xlabel("bits per label, untrained", fontsize="small")
        axes.set_ylabel(plain(with_unit("test MAE", str(group["unit"].iloc[0]))), fontsize="small")
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    handles = {label: one for axes in every for one, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=_MOST_BELOW, fontsize="small")
    return figure


def _correlation(scores: pd.DataFrame, target: Any, size: Any) -> str:
    """Return Spearman's correlation of the evidence, which is the first predictor; empty with fewer than 4 models."""
    here = scores[(scores["target"] == target) & (scores["train_size"] == size) & (scores["target"] != ALL_TARGETS)]
    return f"\nSpearman {here['spearman'].iloc[0]:.2f}" if len(here) and pd.notna(here["spearman"].iloc[0]) else ""


def _reach(row: "pd.Series[Any]", name: str) -> list[list[float]] | None:
    if pd.isna(row[f"{name}_low"]):
        return None
    return [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]
