"""Error against the number of principal components that a regression is given."""

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ibbench.baselines.pairs import is_pair, split_pair
from ibbench.compare.rows import Entry
from ibbench.report.plot.style import Look, add_axes, looks, new_figure, plain, with_unit

_FEWEST = 2  # numbers of components that one pair at least must have
_MOST_LINES = 8  # as many colours as there are
_PLAIN = {"mean": ":", "composition": "-."}  # drawn as grey lines, to compare with

Lines = dict[str, list[tuple[int, Entry]]]


def find_components(entries: Iterable[Entry]) -> Lines:
    """Gather the pairs of one target and train size that have principal components, by their names without these.

    Returns:
        The number of components and the entry for each point of a pair, from the fewest components on. It is empty if
        no pair has several numbers of components.
    """
    lines: Lines = {}
    for entry in entries:
        if is_pair(entry.key.model):
            parts = split_pair(entry.key.model)
            if parts.components:
                lines.setdefault(_name(parts.whole, entry), []).append((parts.components, entry))
    if not any(len(points) >= _FEWEST for points in lines.values()):
        return {}
    return {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items()}


def _name(pair: str, entry: Entry) -> str:
    return f"{pair} {entry.key.variant}".strip()


def draw_components(lines: Lines, entries: Iterable[Entry]) -> Figure:
    """Draw test MAE against the number of components: the mean over seeds, and each seed as a thin line.

    A dashed line of the same colour is the error of the same pair with all of its numbers, if the study has it.

    Args:
        lines: result of `find_components`, not empty.
        entries: all entries of the same target and train size.
    """
    whole = {_name(entry.key.model, entry): entry for entry in entries}
    look = looks(list(lines)[:_MOST_LINES])
    figure = new_figure(6.4, 3.8)
    (axes,) = add_axes(figure, 1, 1)
    for name, one in look.items():
        _draw(axes, name, lines[name], one)
        if name in whole:
            axes.axhline(whole[name].sample.mae, color=one.color, linestyle="--", linewidth=1, label=f"{name}, all")
    for name, dashes in _PLAIN.items():
        if name in whole:
            axes.axhline(whole[name].sample.mae, color="#909090", linestyle=dashes, linewidth=1, label=name)
    places = sorted({count for points in lines.values() for count, _ in points})
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("principal components d")
    group = next(iter(lines.values()))[0][1].key.group
    axes.set_ylabel(plain(with_unit(f"test MAE of {group.target}, {group.train_size:,} train molecules", group.unit)))
    figure.legend(loc="outside right upper", handlelength=3)
    return figure


def _draw(axes: Any, name: str, points: list[tuple[int, Entry]], look: Look) -> None:
    places = [count for count, _ in points]
    means = [entry.sample.mae for _, entry in points]
    axes.plot(
        places, means, look.marker, color=look.color, linestyle="-", markersize=4, linewidth=1.4, label=plain(name)
    )
    for seed in sorted({seed for _, entry in points for seed in entry.sample.seeds}):
        known = [
            (count, float(entry.sample.maes[entry.sample.seeds.index(seed)]))
            for count, entry in points
            if seed in entry.sample.seeds
        ]
        axes.plot(*zip(*known, strict=True), color=look.color, linewidth=0.5, alpha=0.4)
