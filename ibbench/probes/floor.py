"""What a model cannot see: the error that no number of labels removes."""

from collections.abc import Iterator, Mapping

from ibbench.data.targets import Target
from ibbench.options.config import ReferenceOption
from ibbench.probes import LEAST_MAE, Finding, Mean, Probe, register
from ibbench.probes.subject.classes import WHOLE, classes_of, divide_by_composition, floor_of
from ibbench.probes.subject.subject import Subject

FLOOR = LEAST_MAE


@register("floor")
class Floor(Probe):
    """The least MAE of any function of what a model sees: the mean deviation from the median of each class.

    A class holds the molecules that the model cannot tell apart, whatever its weights. Classes follow from what a model
    declares: which parts of a molecule it reads, whether the order of the parts matters, and which pairs of atoms
    exchange messages. Where order does not matter, classes are those of colour refinement with one round per layer
    (Weisfeiler & Leman 1968; Xu et al. 2019, arXiv:1810.00826; with hops, Zhang et al. 2023, arXiv:2301.09505), since
    message passing cannot tell more apart. Coordinates tell all molecules apart.

    Where a regression on the composition is subtracted before training, its numbers of atoms count as seen, too.

    All molecules of the data set are used. The figure is a lower bound: a model may take molecules of different classes
    for the same, and a class may have further molecules that are not in the data set.
    """

    summary = "the error that no number of labels removes, since the model takes different molecules for the same"
    needs = "data"
    moments = ()
    headline = FLOOR

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure on all molecules of the data set."""
        dataset, config = subject.point.dataset, subject.point.config
        for part, seen in classes_of(dataset, config.data, config.model).items():
            finer = divide_by_composition(seen, dataset)
            for target in subject.targets:
                column = dataset.column(target)
                classes = finer if _composition_is_added(dataset.targets[column], config.reference) else seen
                found = floor_of(classes, dataset.values[:, column].numpy())
                unit = dataset.targets[column].value_unit
                yield Finding(FLOOR, part, found.mae, unit, target)
                yield Finding("least MAE of new molecules", part, found.new, unit, target)
                yield Finding("classes", part, found.num_classes, "", target)
                yield Finding("not alone in their class", part, 100 * found.shared, "%", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the floor of all that the model sees."""
        if part != WHOLE:
            return ""
        if not figures[FLOOR].value:
            return f"{who}: it can tell all molecules apart"
        return f"{who}: no function of what it sees has an MAE below {figures[FLOOR].text} on these molecules"


def _composition_is_added(target: Target, reference: ReferenceOption) -> bool:
    """Whether a function of the composition may be added to predictions: free atoms, or a regression."""
    return bool(target.references) or (reference != "none" and not target.is_class)
