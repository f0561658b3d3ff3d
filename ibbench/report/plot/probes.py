"""The figures of a probe: one row per model and one dot per part, with 95 % intervals over seeds."""

import pandas as pd
from matplotlib.figure import Figure

from ibbench.probes import Probe
from ibbench.probes.subject.measure import Measured, average
from ibbench.report.plot.style import add_axes, looks, new_figure, plain, with_unit, wrapped

_MOST_COLUMNS = 4  # panels side by side
_SMALLEST = 1e-16  # as which smaller figures, and 0, are drawn on a logarithmic axis


def draw_probe(probe: Probe, name: str, measured: Measured) -> Figure | None:
    """Draw the headline of one probe, with one panel per target, train size and moment.

    Args:
        probe: the probe.
        name: the name of the probe.
        measured: the measured figures.

    Returns:
        A figure; None where the probe has measured nothing.
    """
    means = average(measured.table[measured.table["probe"] == name])
    means = means[means["quantity"] == means["at"].map(probe.headline_at)]
    if means.empty:
        return None
    panels = list(means.groupby(["target", "train_size", "at"], sort=False))
    parts = list(dict.fromkeys(means["part"]))
    style = looks(parts)
    names = list(dict.fromkeys(measured.name(row) for _, row in means.iterrows()))
    told = [wrapped(name) for name in names]
    height = 0.32 * max(len(names), 0.5 * sum(name.count("\n") + 1 for name in told))
    columns = min(_MOST_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = new_figure(5.2 * columns, (height + (1.5 if lines == 1 else 1.0)) * lines)
    every = add_axes(figure, lines, columns)
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for axes, ((target, size, at), rows) in zip(every, panels, strict=False):
        for part, of_part in rows.groupby("part", sort=False):
            places = [names.index(measured.name(row)) for _, row in of_part.iterrows()]
            values = of_part["mean"].astype(float).clip(lower=_SMALLEST if probe.logarithmic else None)
            look = style[str(part)]
            axes.errorbar(
                values, places, xerr=_reach(of_part, values, probe.logarithmic), color=look.color, marker=look.marker,
                linestyle="none", markersize=4.5, capsize=2, elinewidth=0.9, label=plain(str(part) or "as it is"),
            )  # fmt: skip
        axes.set_yticks(range(len(names)), told)
        axes.set_ylim(len(names) - 0.5, -0.5)
        if probe.logarithmic:
            axes.set_xscale("log")
        where = [str(target), f"{size:,} labels" if at else "", str(at)]
        label = with_unit(probe.headline_at(str(at)), str(rows["unit"].iloc[0]))
        axes.set_xlabel(plain(f"{label}\n{', '.join(filter(None, where))}"))
    if len(parts) > 1 or parts[0]:
        handles = {
            label: one for axes in figure.axes for one, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=4 if max(map(len, handles)) <= 12 else 2
        )
    return figure


def _reach(rows: pd.DataFrame, values: "pd.Series[float]", logarithmic: bool) -> list[list[float]] | None:
    if rows["low"].isna().any():
        return None
    low = rows["low"].astype(float).clip(lower=_SMALLEST if logarithmic else None)
    high = rows["high"].astype(float)
    return [list((values - low).clip(lower=0)), list((high - values).clip(lower=0))]
