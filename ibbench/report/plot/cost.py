"""Error against cost, with the front of models that no other model beats at the same cost or less."""

from collections.abc import Iterable, Set
from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullLocator

from ibbench.compare.pareto import COSTS, cost_of, pareto
from ibbench.compare.rows import Entry, Key
from ibbench.report.cells import FAULTY, error_name
from ibbench.report.plot.style import Look, add_axes, looks, mark_no_claim, new_figure, plain, with_unit
from ibbench.worth.names import name_entries

_LOGARITHMIC_FROM = 3  # ratio of the highest to the lowest cost, or error, above which an axis is logarithmic
# As many names as there are markers. With more, variants share the marker of their model, and those on a front are
# numbered.
_MOST_NAMES = 13
_PALE = 1.2  # sum of red, green and blue, each at most 1, from which black letters are read better than white ones
_AXES = {
    "parameters": "parameters",
    "flops": "FLOPs of one prediction",
    "seconds": "training seconds of a replica",
}


def draw_costs(groups: list[list[Entry]], faulty: Set[Key]) -> Figure:
    """Draw test MAE against parameters, FLOPs and training seconds, with one row of panels per target.

    Args:
        groups: one list of entries per target, all at one train size.
        faulty: keys of the rows that support no claim, which are marked.

    Returns:
        A figure in which the points on the front are filled, and joined by a line.
    """
    trained = [_trained(group) for group in groups]
    names = {key: name for key, (name, _) in name_entries(entry for group in trained for entry in group).items()}
    numbers: dict[str, int] = {}
    labels = names
    if len(set(names.values())) > _MOST_NAMES:
        labels = {entry.key: entry.rung.name if entry.rung else entry.key.model for group in trained for entry in group}
        numbers = _number_fronts(trained, names)
    look = looks(list(labels.values()))
    handles = _legend(look, numbers, with_mark=any(entry.key in faulty for group in trained for entry in group))
    figure = new_figure(3.6 * len(COSTS) + 1.6, max(3.2 * len(groups), 0.19 * len(handles) + 0.4))
    panels = add_axes(figure, len(groups), len(COSTS), sharey="row")
    for place, entries in enumerate(trained):
        row = panels[place * len(COSTS) : (place + 1) * len(COSTS)]
        fronts = pareto(entries)
        for axes, (cost, field) in zip(row, COSTS.items(), strict=True):
            front = []
            for entry, on in zip(entries, fronts, strict=True):
                x, y = cost_of(entry, field), entry.sample.mae
                beaten = cost not in on.split()
                _draw(axes, x, y, look[labels[entry.key]], beaten)
                if entry.key in faulty:
                    mark_no_claim(axes, x, y)
                if not beaten:
                    front.append((x, y))
                    _number(axes, x, y, look[labels[entry.key]].color, numbers.get(names[entry.key]))
            axes.step(*zip(*sorted(front), strict=True), where="post", color="#606060", linewidth=0.8, zorder=0)
            _scale(axes, cost)
        key = entries[0].key.group
        error = with_unit(f"test {error_name(key.unit)} of {key.target}", key.unit)
        row[0].set_ylabel(plain(f"{error},\n{key.train_size:,} train molecules"))
    figure.legend(handles=handles, loc="outside right upper")
    return figure


def _number_fronts(groups: Iterable[list[Entry]], names: dict[Key, str]) -> dict[str, int]:
    """Number the names of the models on any front, from 1."""
    on_front = [
        names[entry.key] for entries in groups for entry, on in zip(entries, pareto(entries), strict=True) if on
    ]
    return {name: number for number, name in enumerate(dict.fromkeys(on_front), 1)}


def _legend(look: dict[str, Look], numbers: dict[str, int], with_mark: bool) -> list[Line2D]:
    points = [
        Line2D([], [], color=one.color, marker=one.marker, linestyle="", label=plain(name))
        for name, one in look.items()
    ]
    fronts = [
        Line2D([], [], color="black", marker=f"${number}$", linestyle="", label=plain(name))
        for name, number in numbers.items()
    ]
    mark = Line2D([], [], color="black", marker=f"${FAULTY}$", linestyle="", label="supports no claim")
    return [*points, *fronts, *([mark] if with_mark else [])]


def _draw(axes: Any, x: float, y: float, look: Look, beaten: bool) -> None:
    face = "white" if beaten else look.color
    axes.plot(x, y, look.marker, color=look.color, markerfacecolor=face, markersize=8, zorder=2 + (not beaten))


def _number(axes: Any, x: float, y: float, color: str, number: int | None) -> None:
    """Write the number of a model into its point, if it has one."""
    if number is not None:
        contrast = "white" if sum(to_rgb(color)) < _PALE else "black"
        axes.text(x, y, str(number), color=contrast, fontsize=6, weight="bold", ha="center", va="center", zorder=4)


def _scale(axes: Any, cost: str) -> None:
    low, high = axes.dataLim.intervalx
    if high > _LOGARITHMIC_FROM * low:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if cost != "seconds" else "{x:g}")
    lowest, highest = axes.dataLim.intervaly
    if highest > _LOGARITHMIC_FROM * lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(_AXES[cost])
    axes.margins(x=0.1, y=0.15)


def _trained(group: list[Entry]) -> list[Entry]:
    trained = [entry for entry in group if not entry.key.is_baseline]
    return sorted(trained, key=lambda entry: entry.rung.number if entry.rung else 0)
