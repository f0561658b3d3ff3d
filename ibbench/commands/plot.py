"""`ibbench plot`: all pictures that a study gives, written to its folder."""

from pathlib import Path

from matplotlib.figure import Figure

from ibbench.compare.comparison import differing
from ibbench.compare.pairs import by_group
from ibbench.compare.study import Entry, Group, Study, read_study
from ibbench.errors import InputError
from ibbench.record.folder import StudyFolder
from ibbench.record.predictions import read_predictions
from ibbench.report.plot.cost import draw_costs
from ibbench.report.plot.curves import draw_learning_curves
from ibbench.report.plot.ladder import draw_ladder
from ibbench.report.plot.parity import Floats, draw_parity
from ibbench.report.plot.style import in_style, save
from ibbench.terminal import say
from ibbench.worth.names import name_entries
from ibbench.worth.worth import make_worth

_MOST_PANELS = 16


def draw_study(folder: Path, by: str = "labels") -> None:
    """Draw what a study has, and save it in its folder as PNG and SVG; see `make_figures`."""
    with in_style():
        names = [name for title, figure in make_figures(folder, by).items() for name in save(figure, folder, title)]
    say(f"Written to {folder}: {', '.join(names)}")


def make_figures(folder: Path, by: str = "labels") -> dict[str, Figure]:
    """Draw what a study has: learning curves, the ladder, error against cost, predictions against true values.

    Args:
        folder: of the study.
        by: what learning curves are drawn along, of `ibbench.worth.curves.AXES`.

    Raises:
        InputError: there are no finished runs, or `by` is not possible.
    """
    study = read_study(folder)
    largest = _largest(study)
    if not largest:
        raise InputError(f"{study.name} has no finished run to draw")
    suffix = "" if by == "labels" else f"_{by}"
    figures: dict[str, Figure] = {}
    try:
        worth = make_worth(study, by)
    except InputError:
        if by != "labels":
            raise
        say("no learning curve: that takes several train sizes")
    else:
        if worth.curves:
            figures[f"learning_curves{suffix}"] = draw_learning_curves(worth)
        if not worth.ladder.empty:
            figures["ladder"] = draw_ladder(worth.ladder)
    figures["cost"] = draw_costs(list(largest.values()))
    sections = list(dict.fromkeys(group.section for group in largest))
    for group, entries in largest.items():
        panels = _panels(folder, study, entries)
        where = "".join(f"_{getattr(group.section, field)}" for field in differing(sections))
        if panels:
            figures[f"parity_{group.target}{where}"] = draw_parity(panels, group.target, group.unit)
        else:
            say(f"no parity plot of {group.target}: its predictions.npz are not there")
    return figures


def _largest(study: Study) -> dict[Group, list[Entry]]:
    """Choose the entries of each target at its largest train size."""
    chosen: dict[tuple[object, ...], tuple[Group, list[Entry]]] = {}
    for group, entries in by_group(study.entries).items():
        key = (group.section, group.target, group.unit)
        if key not in chosen or group.train_size > chosen[key][0].train_size:
            chosen[key] = group, entries
    return dict(chosen.values())


def _panels(folder: Path, study: Study, entries: list[Entry]) -> dict[str, tuple[Floats, Floats]]:
    """Return true and predicted values of the first seed of each trained entry, as far as they are kept."""
    panels: dict[str, tuple[Floats, Floats]] = {}
    names = name_entries(entries)
    records = {id(replica): record for record in study.records for replica in record.replicas}
    for entry in sorted(entries, key=lambda entry: entry.rung.number if entry.rung else 0):
        if entry.key.is_baseline:
            continue
        if len(panels) == _MOST_PANELS:
            say(f"predictions are drawn of the first {_MOST_PANELS} models only")
            break
        name, _ = names[entry.key]
        first = entry.replicas[0]
        record = records[id(first)]
        found = read_predictions(StudyFolder.at(folder).runs / record.run, record)
        if found:
            panels[name] = found[first.target, first.seed]
    return panels
