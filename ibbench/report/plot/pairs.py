"""The figures of a probe of pairs of models, as a matrix: one square per pair, coloured by its figure."""

import math

import numpy as np
from matplotlib.figure import Figure

from ibbench.probes import Probe
from ibbench.probes.subject.measure import Measured, average
from ibbench.probes.subject.pairs import OTHER_SEED
from ibbench.report.plot.style import add_axes, new_figure, plain, with_unit, wrapped

_MOST_WRITTEN = 14  # models up to which the squares have room for a written figure


def draw_pairs(probe: Probe, name: str, measured: Measured) -> Figure | None:
    """Draw the headline of a probe of pairs, with one panel per target, train size and moment.

    Args:
        probe: the probe.
        name: the name of the probe.
        measured: the measured figures.

    Returns:
        A figure, in which the diagonal is each model beside itself with another seed; None where the probe has
        measured nothing.
    """
    means = average(measured.table[measured.table["probe"] == name])
    means = means[(means["probe"] == name) & (means["quantity"] == probe.headline)]
    if means.empty:
        return None
    panels = list(means.groupby(["target", "train_size", "at"], sort=False))
    side = max(3.2, 0.36 * len(measured.names) + 1.6)
    figure = new_figure((side + 0.8) * len(panels), side)
    for axes, ((target, size, at), rows) in zip(add_axes(figure, 1, len(panels)), panels, strict=True):
        found: dict[tuple[str, str], float] = {}
        for _, row in rows.iterrows():
            one, other = measured.name(row), str(row["part"]).removeprefix("with ")
            other = one if other == OTHER_SEED else other
            found[one, other] = found[other, one] = float(row["mean"])
        names = [each for each in dict.fromkeys(measured.names.values()) if any(each in pair for pair in found)]
        values = np.array([[found.get((one, other), math.nan) for other in names] for one in names])
        image = axes.imshow(values, cmap="cividis")
        axes.grid(visible=False)
        told = [wrapped(each) for each in names]
        axes.set_xticks(range(len(names)), told, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), told)
        figure.colorbar(image, ax=axes, shrink=0.8)
        if len(names) <= _MOST_WRITTEN:
            middle = float(np.nanmin(values) + np.nanmax(values)) / 2
            for (row, column), value in np.ndenumerate(values):
                if not math.isnan(value):
                    color = "black" if value > middle else "white"
                    axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=color)
        label = with_unit(probe.headline, str(rows["unit"].iloc[0]))
        axes.set_xlabel(plain(f"{label}\n{target}, {size:,} labels, {at}"))
    return figure
