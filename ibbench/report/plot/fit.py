"""Train and test error side by side, along the option that a study sweeps: its width, steps, batch size or noise."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ibbench.baselines.reconstruction import is_reconstruction, num_components
from ibbench.compare.rows import Entry
from ibbench.compare.study import mean_of
from ibbench.compare.variants import NOT_VARIANTS, typed, with_left_out
from ibbench.report.plot.style import Look, add_axes, looks, new_figure, plain, with_unit

_CODE = "model.latent"
# The options that an error can be drawn along, in the order of preference, and what their axis is called.
_AXES = {
    _CODE: "numbers of the code",
    "model.width": "parameters",
    "trainer.steps": "training steps",
    "trainer.batch_size": "molecules per batch",
    "data.label_noise": "label noise (standard deviations of the target)",
}
_FEWEST = 3  # values of an option that one line at least must have; beside it, others of two are drawn as well
_MOST_TICKS = 7  # places that are all marked on the axis
_OF_OPTIMIZER = {"optimizer.name", "optimizer.beta1"}  # what a line is told apart by where optimizers differ
_DASHES: dict[str, Any] = {"test": "-", "train": "--"}
_MOST_LINES = 8  # as many colours as there are


class Sweep(NamedTuple):
    """Entries of a study that differ in one number most of all.

    Attributes:
        option: the option that has at least three values, such as `model.width`.
        lines: of each model and each choice of the other options: its points, from the least value on.
    """

    option: str
    lines: dict[tuple[str, str], list[tuple[float, Entry]]]


def find_sweep(entries: Iterable[Entry]) -> Sweep | None:
    """Find the option that the trained entries of one target and train size are swept over; None if there is none."""
    entries = list(entries)
    trained = [entry for entry in entries if not entry.key.is_baseline]
    options = with_left_out([entry.options for entry in trained])
    trained = [entry._replace(options=flat) for entry, flat in zip(trained, options, strict=True)]
    for option in _AXES:
        lines = _lines(trained, option)
        if any(len(points) >= _FEWEST for points in lines.values()):
            drawn = {key: points for key, points in lines.items() if len(points) > 1}
            return Sweep(option, drawn | (_components(entries, drawn) if option == _CODE else {}))
    return None


def _components(
    entries: Iterable[Entry], lines: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[tuple[float, Entry]]]:
    """Return the line of principal components for the panel of each model, where the study has at least two numbers."""
    found = [entry for entry in entries if entry.key.is_baseline and is_reconstruction(entry.key.model)]
    points = [(float(number), entry) for entry in found if (number := num_components(entry.key.model))]
    return {(model, "principal components"): sorted(points, key=lambda point: point[0]) for model, _ in lines if points}


def _lines(entries: list[Entry], option: str) -> dict[tuple[str, str], list[tuple[float, Entry]]]:
    others = [name for name in _differing(entries) if name != option]
    lines: dict[tuple[str, str], list[tuple[float, Entry]]] = {}
    for entry in entries:
        if isinstance(value := entry.options.get(option), int | float):
            key = entry.key.model, _describe(entry, others)
            at = entry.cost.parameters if option == "model.width" else value
            lines.setdefault(key, []).append((float(at), entry))
    return {key: sorted(points, key=lambda point: point[0]) for key, points in lines.items()}


def _differing(entries: list[Entry]) -> list[str]:
    names = dict.fromkeys(name for entry in entries for name in entry.options if name not in NOT_VARIANTS)
    return [name for name in names if len({typed(entry.options.get(name)) for entry in entries}) > 1]


def _describe(entry: Entry, names: list[str]) -> str:
    """Describe an entry by the options that vary, without those that are null or follow from its optimizer."""
    optimizer = "optimizer.name" in names
    told = []
    for name in names:
        value = entry.options.get(name)
        if value is None or (optimizer and name.startswith("optimizer.") and name not in _OF_OPTIMIZER):
            continue
        told.append(f"{name.removesuffix('.name')}={typed(value)}")
    return " ".join(told)


def draw_fit(sweep: Sweep) -> Figure:
    """Draw test MAE (solid) and train MAE (dashed) along the option of a sweep, one panel per model.

    The train MAE is against the labels that were trained on, which `data.labels` and `data.label_noise` alter. Errors
    of all seeds are drawn as thin lines around their mean where a line has several.

    Args:
        sweep: what `find_sweep` returns.
    """
    models = list(dict.fromkeys(model for model, _ in sweep.lines))
    look = looks([text for _, text in sweep.lines][:_MOST_LINES])
    figure = new_figure(4.6 * len(models) + (2.4 if any(look) else 1.2), 3.8)
    for axes, model in zip(add_axes(figure, 1, len(models), sharey=True), models, strict=True):
        for (of_model, text), points in sweep.lines.items():
            if of_model == model and text in look:
                _draw(axes, points, look[text])
        axes.set_title(plain(model))
        _scale(axes, sweep)
    first = next(iter(sweep.lines.values()))[0][1].key.group
    name = f"MAE of {first.target}, {first.train_size:,} train molecules"
    figure.axes[0].set_ylabel(plain(with_unit(name, first.unit)))
    figure.legend(handles=_legend(look), loc="outside right upper", handlelength=3)
    return figure


def _draw(axes: Any, points: list[tuple[float, Entry]], look: Look) -> None:
    places = [place for place, _ in points]
    for part, dashes in _DASHES.items():
        means = [mean_of([getattr(replica, part).mae for replica in entry.replicas]) for _, entry in points]
        axes.plot(places, means, look.marker, color=look.color, linestyle=dashes, markersize=4, linewidth=1.4)
        for seed in sorted({replica.seed for _, entry in points for replica in entry.replicas}):
            of_seed = [(place, _of(entry, seed, part)) for place, entry in points]
            known = [(place, error) for place, error in of_seed if error is not None]
            axes.plot(*zip(*known, strict=True), color=look.color, linestyle=dashes, linewidth=0.5, alpha=0.4)


def _of(entry: Entry, seed: int, part: str) -> float | None:
    return next((float(getattr(one, part).mae) for one in entry.replicas if one.seed == seed), None)


def _scale(axes: Any, sweep: Sweep) -> None:
    places = sorted({place for points in sweep.lines.values() for place, _ in points})
    if min(places) > 0 and max(places) > 3 * min(places):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", rotation=30)
    if len(places) <= _MOST_TICKS:
        axes.set_xticks(places)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(_AXES[sweep.option])


def _legend(look: dict[str, Look]) -> list[Line2D]:
    lines = [
        Line2D([], [], color=one.color, marker=one.marker, linestyle="-", label=plain(text))
        for text, one in look.items()
        if text
    ]
    kinds = [Line2D([], [], color="#606060", linestyle=dashes, label=part) for part, dashes in _DASHES.items()]
    return [*kinds, *lines]
