"""All pictures of a study: which of them can be drawn, from which entries, and under which names."""

import itertools
import math
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from ibbench.compare.calibration import measure_calibration
from ibbench.compare.cautions import FEW_MOLECULES
from ibbench.compare.classes import class_figures, probabilities
from ibbench.compare.comparison import differing
from ibbench.compare.missing import count_missing
from ibbench.compare.pairs import by_group
from ibbench.compare.rows import Entry, Group, Key, Section
from ibbench.compare.soundness import find_faults
from ibbench.compare.study import Study, refuse_untested
from ibbench.errors import InputError
from ibbench.record.folder import StudyFolder
from ibbench.record.predictions import Predictor, read_predictions
from ibbench.report.cells import FAULTY
from ibbench.report.document import Picture, Remark
from ibbench.report.missing import tell_missing, tell_seeds, tell_sizes
from ibbench.report.plot.classes import Probabilities, draw_class_reliability, draw_roc
from ibbench.report.plot.components import draw_components, find_components
from ibbench.report.plot.cost import draw_costs
from ibbench.report.plot.curves import draw_learning_curves
from ibbench.report.plot.fit import draw_fit, find_sweep
from ibbench.report.plot.floors import Floors, read_floors
from ibbench.report.plot.generality import draw_generality
from ibbench.report.plot.intrinsic import draw_intrinsic
from ibbench.report.plot.ladder import draw_ladder
from ibbench.report.plot.parity import Panel, draw_parity
from ibbench.report.plot.reliability import draw_reliability
from ibbench.report.plot.style import file_stems, in_style, write_above
from ibbench.worth.curves import comparable
from ibbench.worth.names import name_entries
from ibbench.worth.worth import Worth, make_worth

_MOST_PANELS = 16
_PANEL = [*Section._fields, "target", "unit", "train_size"]


class Drawn(NamedTuple):
    """The pictures of a study by what they show, with a remark in place of each that could not be drawn.

    Attributes:
        worth: learning curves and the ladder.
        cost: error against cost.
        parity: predictions against true values, by target; of a class, ROC curves.
        reliability: errors against the deviation between seeds, by target; of a class, shares against probabilities.
        fit: train and test error along an option that the study sweeps; empty if it sweeps none.
        components: error against the number of principal components; empty if no baseline has several numbers of them.
    """

    worth: list[Picture | Remark]
    cost: list[Picture | Remark]
    parity: dict[Group, list[Picture | Remark]]
    reliability: dict[Group, list[Picture | Remark]]
    fit: list[Picture | Remark]
    components: list[Picture | Remark]

    @property
    def shapes(self) -> list[Picture | Remark]:
        """All pictures and remarks, in the order of the attributes."""
        of_targets = [*self.parity.values(), *self.reliability.values()]
        along = [*self.worth, *self.cost, *self.fit, *self.components]
        return [*along, *(shape for shapes in of_targets for shape in shapes)]


def draw_study(study: Study, folder: Path, by: str = "labels") -> list[Picture | Remark]:
    """Draw all pictures of a study: learning curves, the ladder, error against cost, predictions and reliability.

    Args:
        study: the study, as `read_study` returns it.
        folder: the folder of the study, which has the predictions.
        by: the axis of learning curves, one of `ibbench.worth.curves.AXES`.

    Returns:
        Remarks about the study, the pictures, and a remark in place of each picture that could not be drawn. If runs of
        the study are missing, each picture says so.

    Raises:
        InputError: there are no finished runs, or `by` is not possible.
    """
    drawn = draw_parts(study, folder, by)
    return [*map(Remark, _remarks(study)), *drawn.shapes]


def draw_parts(study: Study, folder: Path, by: str = "labels", apart: bool = False) -> Drawn:
    """Draw all pictures of a study, as `draw_study` does, and return them by what they show.

    Args:
        study: the study, as `read_study` returns it.
        folder: the folder of the study, which has the predictions.
        by: the axis of learning curves, one of `ibbench.worth.curves.AXES`.
        apart: whether each target has its own pictures of curves and ladder, as suits a narrow page; otherwise one
            picture has the panels of all targets.

    Raises:
        InputError: there are no finished runs, or `by` is not possible.
    """
    refuse_untested(study)
    largest = find_largest(study)
    if not largest:
        raise InputError(f"{study.name} has no finished run to draw. {' '.join(tell_missing(study))}".strip())
    sections = list(dict.fromkeys(group.section for group in largest))
    faulty = set(find_faults(study.entries))
    parity = file_stems([_name("roc" if group.is_class else "parity", group, sections) for group in largest])
    reliability = file_stems([_name("reliability", group, sections) for group in largest])
    with in_style():
        drawn = Drawn(
            _draw_worth(study, by, read_floors(folder), apart),
            [Picture("cost", draw_costs(list(largest.values()), faulty))],
            {
                group: _draw_class(draw_roc, group, entries, stem, faulty)
                if group.is_class
                else _draw_predictions(folder, study, group, entries, stem, faulty)
                for stem, (group, entries) in zip(parity, largest.items(), strict=True)
            },
            {
                group: _draw_class(draw_class_reliability, group, entries, stem, faulty)
                if group.is_class
                else _draw_reliability(group, entries, stem, faulty)
                for stem, (group, entries) in zip(reliability, largest.items(), strict=True)
            },
            _draw_fits(largest, sections),
            _draw_components(study, sections),
        )
        if study.missing:
            for shape in drawn.shapes:
                if isinstance(shape, Picture):
                    write_above(shape.figure, count_missing(study.missing, study.num_runs))
    return drawn


def _remarks(study: Study) -> Iterator[str]:
    """Yield sentences about missing runs, and about models that have fewer seeds or train sizes than others."""
    yield from tell_missing(study)
    trained = [entry for entry in study.entries if not entry.key.is_baseline]
    if any(len(entry.replicas) == 1 for entry in trained):
        yield "Some points have one seed: their intervals are over test molecules only."
    yield from tell_seeds(trained)
    yield from tell_sizes(trained)


def _draw_worth(study: Study, by: str, floors: Floors, apart: bool) -> list[Picture | Remark]:
    try:
        worth = make_worth(study, by)
    except InputError:
        if by != "labels":
            raise
        return [Remark("no learning curve: that takes several train sizes")]
    shapes: list[Picture | Remark] = []
    suffix = "" if by == "labels" else f"_{by}"
    if known := [one for one in worth.intrinsic if not math.isnan(one.value)]:
        shapes.append(Picture("intrinsic", draw_intrinsic(known)))
    if worth.curves:
        for end, part in _divide(worth, apart).items():
            shapes.append(Picture(f"learning_curves{suffix}{end}", draw_learning_curves(part, floors)))
    if worth.generality:
        shapes.append(Picture("generality", draw_generality(worth.generality.worth)))
    if not worth.ladder.empty:
        ladders = [rows for _, rows in worth.ladder.groupby(_PANEL, sort=False)] if apart else [worth.ladder]
        ends = range(1, len(ladders) + 1) if len(ladders) > 1 else [""]
        shapes += [Picture(f"ladder{end}", draw_ladder(one)) for end, one in zip(ends, ladders, strict=True)]
    return shapes


def _divide(worth: Worth, apart: bool) -> dict[str, Worth]:
    """Divide the curves into one `Worth` per panel, by the ending of the picture's name, or leave them together."""
    groups = comparable(worth.curves)
    if not apart or len(groups) < 2:
        return {"": worth}
    fits = {id(curve): fit for curve, fit in zip(worth.curves, worth.fits, strict=True)}
    return {
        str(number): worth._replace(curves=curves, fits=[fits[id(curve)] for curve in curves])
        for number, curves in enumerate(groups, 1)
    }


def find_largest(study: Study) -> dict[Group, list[Entry]]:
    """Return the entries of each target at its largest train size; an empty dictionary if no run is finished."""
    chosen: dict[tuple[object, ...], tuple[Group, list[Entry]]] = {}
    for group, entries in by_group(study.entries).items():
        key = (group.section, group.target, group.unit)
        if key not in chosen or group.train_size > chosen[key][0].train_size:
            chosen[key] = group, entries
    return dict(chosen.values())


def _name(kind: str, group: Group, sections: list[Section]) -> str:
    where = "".join(f"_{getattr(group.section, field)}" for field in differing(sections))
    return f"{kind}_{group.target}{where}"


def _draw_predictions(
    folder: Path, study: Study, group: Group, entries: list[Entry], stem: str, faulty: Set[Key]
) -> list[Picture | Remark]:
    """Draw predictions against true values for the first seed of each trained entry that has its predictions."""
    if group.is_restored:
        return [Remark(f"no parity plot of {group.target}: a model that restores molecules predicts its own error")]
    panels: dict[str, Panel] = {}
    shapes: list[Picture | Remark] = []
    names = name_entries(entries)
    records = {id(replica): record for record in study.records for replica in record.replicas}
    for entry in _in_order(entries):
        if entry.key.is_baseline:
            continue
        if len(panels) == _MOST_PANELS:
            shapes.append(Remark(f"predictions are drawn of the first {_MOST_PANELS} models only"))
            break
        name, _ = names[entry.key]
        first = entry.replicas[0]
        record = records[id(first)]
        found = read_predictions(StudyFolder.at(folder).runs / record.run, record, baselines=False)
        if found:
            panels[_title(name, entry, faulty)] = Panel(*found[Predictor(first.target, first.seed)], first.seed)
    if not panels:
        return [*shapes, Remark(f"no parity plot of {group.target}: its predictions.npz are not there")]
    return [*shapes, Picture(stem, draw_parity(panels, group.target, group.unit))]


def _draw_reliability(group: Group, entries: list[Entry], stem: str, faulty: Set[Key]) -> list[Picture | Remark]:
    """Draw errors against the deviation between seeds, for each trained entry of a target with several seeds."""
    names = name_entries(entries)
    measured = {_title(names[entry.key][0], entry, faulty): measure_calibration(entry) for entry in _in_order(entries)}
    panels = {title: one for title, one in measured.items() if one and one.bins}
    if entries[0].of_atoms:
        return [Remark(f"no reliability of {group.target}: it is drawn of targets with one value per molecule")]
    if not panels:
        what = f"several seeds, {FEW_MOLECULES} test molecules and their predictions"
        return [Remark(f"no reliability of {group.target}: that takes {what}")]
    shown = dict(itertools.islice(panels.items(), _MOST_PANELS))
    picture = Picture(stem, draw_reliability(shown, group.target, group.unit))
    if len(panels) == len(shown):
        return [picture]
    return [Remark(f"deviations between seeds are drawn of the first {_MOST_PANELS} models only"), picture]


def _draw_class(
    draw: Callable[[dict[str, Probabilities], str], Figure],
    group: Group,
    entries: list[Entry],
    stem: str,
    faulty: Set[Key],
) -> list[Picture | Remark]:
    """Draw the probabilities of a class by all seeds of each trained entry that has its predictions."""
    names = name_entries(entries)
    models: dict[str, Probabilities] = {}
    for entry in _in_order(entries):
        known, figures = probabilities(entry), class_figures(entry)
        if entry.key.is_baseline or known is None or figures["auroc_mean"] is None:
            continue
        told = (figures[f"{name}_mean"] for name in ("auroc", "calibration_error", "calibration_by_chance"))
        models[_title(names[entry.key][0], entry, faulty)] = Probabilities(*known, *told)
    if not models:
        return [Remark(f"no {stem}: the predictions of {group.target} are not there")]
    shown = dict(itertools.islice(models.items(), _MOST_PANELS))
    picture = Picture(stem, draw(shown, group.target))
    if len(models) == len(shown):
        return [picture]
    return [Remark(f"probabilities are drawn of the first {_MOST_PANELS} models only"), picture]


def _draw_fits(largest: dict[Group, list[Entry]], sections: list[Section]) -> list[Picture | Remark]:
    sweeps = {group: find_sweep(entries) for group, entries in largest.items()}
    swept = {group: sweep for group, sweep in sweeps.items() if sweep}
    stems = file_stems([_name("fit", group, sections) for group in swept])
    return [Picture(stem, draw_fit(sweep)) for stem, sweep in zip(stems, swept.values(), strict=True)]


def _draw_components(study: Study, sections: list[Section]) -> list[Picture | Remark]:
    """Draw error against the number of components for each target, at the largest train size that has several."""
    chosen: dict[tuple[Section, str, str], Group] = {}
    groups = by_group(study.entries)
    for group, entries in groups.items():
        key = (group.section, group.target, group.unit)
        if find_components(entries) and (key not in chosen or group.train_size > chosen[key].train_size):
            chosen[key] = group
    stems = file_stems([_name("components", group, sections) for group in chosen.values()])
    return [
        Picture(stem, draw_components(find_components(groups[group]), groups[group]))
        for stem, group in zip(stems, chosen.values(), strict=True)
    ]


def _title(name: str, entry: Entry, faulty: Set[Key]) -> str:
    return f"{name} {FAULTY} supports no claim" if entry.key in faulty else name


def _in_order(entries: list[Entry]) -> list[Entry]:
    """Sort entries by the number of their rung; entries without a rung come first."""
    return sorted(entries, key=lambda entry: entry.rung.number if entry.rung else 0)
