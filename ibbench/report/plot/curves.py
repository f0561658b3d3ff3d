"""Learning curves on logarithmic axes: MAEs with intervals, and fitted power laws with their bands."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ibbench.compare.soundness import find_faults
from ibbench.options.words import NATS
from ibbench.report.cells import FAULTY, error_name
from ibbench.report.lengths import find_lengths
from ibbench.report.plot.floors import Floors, draw_floor
from ibbench.report.plot.style import Look, add_axes, looks, mark_no_claim, new_figure, plain, with_unit
from ibbench.worth.curves import AXES, Curve, comparable
from ibbench.worth.power_law import Fit
from ibbench.worth.worth import Worth

_MOST_BANDS = 6  # curves that are drawn with intervals and laws; of more curves these would hide each other
_MOST_LABELS = 12
# The multiples of powers of ten that are marked on an axis, by the largest ratio of the axis' ends.
_MARKS = {
    3: (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9),
    20: (1, 1.5, 2, 3, 4, 5, 7),
    1000: (1, 2, 5),
    float("inf"): (1,),
}


def draw_learning_curves(worth: Worth, floors: Floors | None = None) -> Figure:
    """Draw the curves of a study, one panel per target: MAEs as points with 95 % intervals, and the laws as lines.

    Args:
        worth: the curves, and their laws.
        floors: the least MAE that each model can have, in the target's unit; it is drawn as a dotted horizontal line
            unless it is far below the curve. None for none.

    Returns:
        A figure with one panel per target.
    """
    groups = comparable(worth.curves)
    faulty = set(find_faults(worth.source.entries))
    look = looks([curve.model for curve in worth.curves])
    fits = {id(curve): fit for curve, fit in zip(worth.curves, worth.fits, strict=True)}
    figure = new_figure(6.2 * len(groups), 4.4)
    for axes, curves in zip(add_axes(figure, 1, len(groups)), groups, strict=True):
        for curve in curves:
            few = len(curves) <= _MOST_BANDS
            _draw(axes, curve, fits[id(curve)] if few else None, look[curve.model], with_intervals=few)
        bounded = [
            draw_floor(axes, curve, {} if curve.unit == NATS else floors or {}, look[curve.model]) for curve in curves
        ]
        marked = [
            (size, entry.sample.mae)
            for curve in curves
            for size, entry in zip(curve.sizes, curve.entries, strict=True)
            if entry.key in faulty
        ]
        for point in marked:
            mark_no_claim(axes, *point)
        notes = [f"\n{FAULTY} supports no claim"] if marked else []
        notes += ["\ndotted: no model that sees the same can be below"] if any(bounded) else []
        _label(axes, curves, worth.by, note="".join(notes))
    return figure


def _draw(axes: Any, curve: Curve, fit: Fit | None, look: Look, with_intervals: bool) -> None:
    ends = [sample.mae_interval() or (sample.mae, sample.mae) for sample in curve.samples]
    reach = np.abs(np.array(ends).T - curve.maes)
    if fit:
        axes.fill_between(fit.grid, *fit.band, color=look.color, alpha=0.12, linewidth=0)
        axes.plot(fit.grid, fit(fit.grid), color=look.color, linestyle=look.linestyle, linewidth=1.3)
    axes.errorbar(
        curve.sizes,
        curve.maes,
        yerr=reach if with_intervals else None,
        color=look.color,
        marker=look.marker,
        markersize=5,
        linestyle="none" if fit else look.linestyle,
        linewidth=1.1,
        elinewidth=0.9,
        capsize=2,
        label=plain(curve.model),
    )


def _axis(curves: list[Curve], by: str) -> str:
    """Return the label of the horizontal axis, with the length of training per size if that differs between sizes."""
    lengths = find_lengths([entry for curve in curves for entry in curve.entries])
    if by != "labels" or len(set(lengths.values())) < 2:
        return AXES[by]
    return f"{AXES[by]} (trained for {', '.join(lengths.values())})"


def _label(axes: Any, curves: list[Curve], by: str, note: str) -> None:
    first = curves[0]
    error = plain(with_unit(f"test {error_name(first.unit)} of {first.target}", first.unit))
    axes.set(xscale="log", yscale="log", xlabel=_axis(curves, by) + note, ylabel=error)
    if by == "labels" and len(first.sizes) <= _MOST_LABELS:
        axes.set_xticks(first.sizes, [f"{size:,.0f}" for size in first.sizes], rotation=30)
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=next(marks for most, marks in _MARKS.items() if high <= most * low)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda place: -curves[place].maes[-1])  # in the order of the curves' ends
    where = {} if len(curves) <= _MOST_BANDS else {"bbox_to_anchor": (1.02, 1), "loc": "upper left"}
    axes.legend([handles[place] for place in order], [names[place] for place in order], handlelength=3, **where)
