"""Training curves: the validation error of each replica along its training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ibbench.compare.rows import Entry
from ibbench.compare.study import Study
from ibbench.record.folder import HISTORY, StudyFolder
from ibbench.record.history import read_history
from ibbench.record.schema import BrokenError
from ibbench.report.cells import error_name
from ibbench.report.document import Picture, Remark
from ibbench.report.plot.study import find_largest
from ibbench.report.plot.style import add_axes, in_style, looks, new_figure, plain, with_unit
from ibbench.worth.names import name_entries

_MOST_POINTS = 200  # points of a line; more cannot be told apart
_STAGE = "stage"  # the column of histories that numbers the stages of a search
_MOST_MODELS = 8  # as many as there are colours


def draw_histories(study: Study, folder: Path) -> list[Picture | Remark]:
    """Draw training curves for each target of a study, at its largest train size.

    Args:
        study: the study, as `read_study` returns it.
        folder: the folder of the study, whose runs have the histories.

    Returns:
        One picture per target, of at most 8 models, and a remark if histories are missing.
    """
    shapes: list[Picture | Remark] = []
    lacking: dict[str, None] = {}
    for number, (group, entries) in enumerate(find_largest(study).items(), 1):
        trained = sorted((one for one in entries if not one.key.is_baseline), key=lambda one: one.sample.mae)
        chosen = {one.key for one in trained[:_MOST_MODELS]}
        names = name_entries(trained)
        lines = {}
        for entry in [one for one in entries if one.key in chosen]:  # in the order of the table, which colours follow
            found, missing = _read(study, folder, entry)
            lacking |= dict.fromkeys(missing)
            if len(found):
                lines[names[entry.key][0]] = found
        if lines:
            with in_style():
                figure = draw_history(lines, group.target, group.unit, group.train_size)
            more = f" Of {len(trained)} models the {_MOST_MODELS} best." if len(trained) > _MOST_MODELS else ""
            caption = f"{group.target}: validation error of each seed while it was trained.{more}"
            shapes.append(Picture(f"history{number}", figure, caption))
    if lacking:
        which = "No training curves" if not shapes else f"The training curves lack {len(lacking)} runs"
        shapes.append(Remark(f"{which}: {HISTORY}, which a run leaves where it is trained, is not here."))
    return shapes


def _read(study: Study, folder: Path, entry: Entry) -> tuple[pd.DataFrame, Sequence[str]]:
    """Return the validation errors of all seeds of an entry, and the runs whose history is missing or broken."""
    records = {id(replica): record.run for record in study.records for replica in record.replicas}
    parts, missing = [], []
    for run in dict.fromkeys(records[id(replica)] for replica in entry.replicas):
        try:
            rows = pd.DataFrame(read_history(StudyFolder.at(folder).runs / run))
        except BrokenError:
            missing.append(run)
            continue
        if _STAGE in rows:  # seeds were tuned in stages: the last stage is the training that was kept
            rows = rows[rows[_STAGE] == rows[_STAGE].max()]
        seeds = [replica.seed for replica in entry.replicas if records[id(replica)] == run]
        parts.append(rows[(rows["target"] == entry.key.group.target) & rows["seed"].isin(seeds)])
    return pd.concat(parts) if parts else pd.DataFrame(), missing


def draw_history(lines: Mapping[str, pd.DataFrame], target: str, unit: str, train_size: int) -> Figure:
    """Draw the validation MAE of each seed against steps, with one colour and dash pattern per model.

    Args:
        lines: the history of each model for this target, by the model's name: rows with `seed`, `step`, and
            `validation_mae` in the target's unit. Each model has at least one row.
        target: the short name of the target.
        unit: the unit of the errors.
        train_size: number of train molecules.
    """
    figure = new_figure(6.2, 3.8)
    (axes,) = add_axes(figure, 1, 1)
    style = looks(list(lines))
    for name, rows in lines.items():
        label: str | None = plain(name)
        for _, of_seed in rows.groupby("seed"):
            shown = of_seed.iloc[:: max(1, len(of_seed) // _MOST_POINTS)]
            look = style[name]
            marker = look.marker if len(shown) == 1 else None
            axes.plot(
                shown["step"], shown["validation_mae"], color=look.color, linestyle=look.linestyle, marker=marker,
                linewidth=1, label=label,
            )  # fmt: skip
            label = None
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
    error = with_unit(f"validation {error_name(unit)} of {target}", unit)
    axes.set(xlabel=f"step ({train_size:,} train molecules)", ylabel=plain(error))
    axes.legend(loc="upper right", handlelength=3)
    return figure
