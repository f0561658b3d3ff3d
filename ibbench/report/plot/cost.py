"""Error against cost, with the models that no other beats at the same cost or less."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from ibbench.compare.pareto import COSTS, cost_of, pareto
from ibbench.compare.study import Entry
from ibbench.report.plot.style import add_axes, looks, new_figure, plain
from ibbench.worth.names import name_entries

_LOGARITHMIC_FROM = 3  # times the lowest cost
_AXES = {
    "parameters": "parameters",
    "flops": "FLOPs of one prediction",
    "seconds": "training seconds of a replica",
}


def draw_costs(groups: list[list[Entry]]) -> Figure:
    """Draw error against parameters, FLOPs and seconds, with one row of panels per target.

    Args:
        groups: lists of entries, each of one target at one train size.

    Returns:
        A figure in which the points on the front are filled, and joined by a line.
    """
    names = name_entries(entry for group in groups for entry in _trained(group))
    look = looks([name for name, _ in names.values()])
    figure = new_figure(3.6 * len(COSTS) + 1.6, 3.2 * len(groups))
    panels = add_axes(figure, len(groups), len(COSTS), sharey="row")
    for place, group in enumerate(groups):
        row = panels[place * len(COSTS) : (place + 1) * len(COSTS)]
        entries = _trained(group)
        fronts = pareto(entries)
        for axes, (cost, field) in zip(row, COSTS.items(), strict=True):
            front = []
            for entry, on in zip(entries, fronts, strict=True):
                name = names[entry.key][0]
                x, y, one = cost_of(entry, field), entry.sample.mae, look[name]
                beaten = cost not in on.split()
                face = "white" if beaten else one.color
                axes.plot(x, y, one.marker, color=one.color, markerfacecolor=face, markersize=8)
                front += [] if beaten else [(x, y)]
            axes.step(*zip(*sorted(front), strict=True), where="post", color="#606060", linewidth=0.8, zorder=0)
            _scale(axes, cost)
        key = group[0].key.group
        row[0].set_ylabel(plain(f"test MAE of {key.target} ({key.unit}),\n{key.train_size:,} train molecules"))
    points = {name: Line2D([], [], color=one.color, marker=one.marker, linestyle="") for name, one in look.items()}
    figure.legend(list(points.values()), [plain(name) for name in points], loc="outside right upper")
    return figure


def _scale(axes: Any, cost: str) -> None:
    low, high = axes.dataLim.intervalx
    if high > _LOGARITHMIC_FROM * low:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if cost != "seconds" else "{x:g}")
    axes.set_xlabel(_AXES[cost])
    axes.margins(x=0.1, y=0.1)


def _trained(group: list[Entry]) -> list[Entry]:
    trained = [entry for entry in group if not entry.key.is_baseline]
    return sorted(trained, key=lambda entry: entry.rung.number if entry.rung else 0)
