"""The performance of trainings in random subspaces against their dimensions."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ibbench.compare.rows import in_full
from ibbench.report.cells import figure as written
from ibbench.report.plot.style import Look, add_axes, looks, new_figure, plain
from ibbench.worth.intrinsic import GOAL, Intrinsic

_LOWEST = -0.5  # performance below which nothing is shown: untrained networks may be far worse than the mean


def draw_intrinsic(found: Sequence[Intrinsic]) -> Figure:
    """Draw performance against dimensions, with the place where it reaches 90 %, one panel per target and train size.

    Args:
        found: what `find_intrinsic` returns, at least one.
    """
    groups = list(dict.fromkeys(one.whole.key.group for one in found))
    style = looks([_name(one) for one in found])
    figure = new_figure(5.2 * len(groups) + 0.8, 3.8)
    for axes, group in zip(add_axes(figure, 1, len(groups), sharey=True), groups, strict=True):
        of_group = [one for one in found if one.whole.key.group == group]
        for one in of_group:
            _draw(axes, one, style[_name(one)])
        axes.axhline(GOAL, color="#606060", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        lowest = min(float(one.shares.min()) for one in of_group)
        axes.set_ylim(bottom=max(_LOWEST, min(0.0, lowest - 0.05)))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(
            plain(f"dimensions of the random subspace\n{group.target}, {group.train_size:,} train molecules")
        )
        axes.legend(loc="lower right")
    figure.axes[0].set_ylabel("performance: mean 0 %, all weights 100 %")
    return figure


def _draw(axes: Any, one: Intrinsic, look: Look) -> None:
    known = 0 < one.value < float("inf")
    label = f"{_name(one)}: {written(one.value, 2)} of {one.whole.cost.parameters:,}" if known else _name(one)
    for of_seed in one.shares:
        axes.plot(one.dimensions, of_seed, color=look.color, linewidth=0.5, alpha=0.5)
    axes.plot(
        one.dimensions, one.shares.mean(0), look.marker, color=look.color, linestyle=look.linestyle, markersize=4,
        label=plain(label),
    )  # fmt: skip
    if known:
        reach = None if one.low is None or one.high is None else [[one.value - one.low], [one.high - one.value]]
        axes.errorbar(one.value, GOAL, xerr=reach, color=look.color, marker="|", markersize=12, capsize=3)


def _name(one: Intrinsic) -> str:
    return in_full(one.whole.key.model, one.variant)
