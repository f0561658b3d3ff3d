"""Codes of autoencoders: what they predict from few labels, and maps of molecules."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ibbench.probes.latent import ALL, CODE, PCA
from ibbench.probes.subject.code import CodeMap
from ibbench.probes.subject.measure import Measured, average
from ibbench.report.plot.style import add_axes, looks, new_figure, plain, with_unit

_NAMES = {
    (CODE, "trained"): "code", (CODE, "init"): "code of untrained weights", (PCA, ""): "principal components",
    (ALL, ""): "all inputs, no other molecules",
}  # fmt: skip


def draw_code_curves(measured: Measured) -> Figure | None:
    """Draw the MAE of ridge regressions against labels: one row per property, one panel per model.

    Args:
        measured: the figures of a study.

    Returns:
        A figure with means over seeds and their 95 % intervals; None if the probe `latent` has measured nothing.
    """
    table = measured.table
    means = average(table[(table["probe"] == "latent") & table["quantity"].isin({quantity for quantity, _ in _NAMES})])
    if means.empty:
        return None
    targets = list(dict.fromkeys(means["target"]))
    models = list(means.groupby(["model", "variant", "train_size"], sort=False))
    figure = new_figure(3.1 * len(models) + 1.2, 2.6 * len(targets) + 0.8)
    every = add_axes(figure, len(targets), len(models), sharex=True, sharey="row")
    look = looks(list(_NAMES.values()))
    for row, target in enumerate(targets):
        for column, (_, of_model) in enumerate(models):
            axes = every[row * len(models) + column]
            own = of_model[of_model["target"] == target]
            if own.empty:  # too few molecules with a label of it
                axes.set_visible(False)
                continue
            for (quantity, at), name in _NAMES.items():
                line = own[(own["quantity"] == quantity) & (own["at"] == (at or own["at"].iloc[0]))]
                if line.empty:
                    continue
                labels = [int(part.split()[0].replace(",", "")) for part in line["part"]]
                values, style = line["mean"].astype(float), look[name]
                if line["low"].notna().all():
                    axes.fill_between(
                        labels, line["low"].astype(float), line["high"].astype(float), color=style.color, alpha=0.15
                    )
                axes.plot(labels, values, color=style.color, marker=style.marker, markersize=4, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(labels)
            axes.xaxis.set_minor_locator(NullLocator())
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axes.tick_params(axis="x", rotation=30)
            if row == 0:
                axes.set_title(plain(measured.name(of_model.iloc[0])), fontsize="medium")
            if row == len(targets) - 1:
                axes.set_xlabel("labels")
            if column == 0:
                axes.set_ylabel(plain(with_unit(f"MAE of {target}", str(own["unit"].iloc[0]))))
    handles = {name: one for axes in every for one, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles))
    return figure


def draw_code_maps(maps: Sequence[CodeMap]) -> Figure:
    """Draw the codes of molecules as points of a plane, one panel per model, coloured by a property."""
    columns = min(3, len(maps))
    rows = -(-len(maps) // columns)
    figure = new_figure(3.4 * columns + 1.0, 3.2 * rows)
    every = add_axes(figure, rows, columns)
    for axes in every[len(maps) :]:
        axes.set_visible(False)
    for axes, one in zip(every, maps, strict=False):
        points = axes.scatter(*one.plane.T, c=one.values, s=4, linewidths=0, cmap="viridis", rasterized=True)
        axes.set_title(plain(one.name), fontsize="medium")
        axes.tick_params(labelbottom=False, labelleft=False)
    figure.colorbar(points, ax=every, label=plain(with_unit(maps[0].target, maps[0].unit)))
    return figure
