"""Which part of their molecules the models of runs read, for the lines of a command and for records."""

from collections.abc import Set
from typing import TYPE_CHECKING

from ibbench.data.unseen import Counts, Sight, count_unseen, describe_unseen
from ibbench.models.registry import get_model
from ibbench.options.model import ModelOptions

if TYPE_CHECKING:
    from ibbench.run.plan import Point


def sight_of(options: ModelOptions) -> Sight:
    """Return which part of a molecule a model with these options reads."""
    return name_sight(get_model(options.name).reads_with(options))


def name_sight(reads: Set[str]) -> Sight:
    """Name the most informative of the fields of `Molecules` that a model reads.

    Args:
        reads: names of fields.
    """
    if "tokens" in reads:
        return "SMILES"
    return "coordinates" if "positions" in reads else "atoms and bonds"


def count_for(points: "list[Point]") -> Counts:
    """Count what the molecules of runs of one data set carry beyond atoms and bonds.

    Molecules that look alike to a model are counted if they differ in a target of these runs.

    Args:
        points: planned runs of one data set, at least one.
    """
    dataset = points[0].dataset
    targets = dict.fromkeys(target for point in points for target in point.config.targets)
    columns = [dataset.column(target) for target in targets]
    return count_unseen(dataset.unseen, dataset.values[:, columns].numpy(), dataset.layout)


def tell_unseen(points: "list[Point]") -> list[str]:
    """Say which information in the molecules of each data set the models of these runs do not read."""
    by_data: dict[int, list[Point]] = {}
    for point in points:
        by_data.setdefault(id(point.dataset), []).append(point)
    sentences = []
    for group in by_data.values():
        sights = {point.config.model.name: sight_of(point.resolved.model) for point in group}
        sentences += describe_unseen(count_for(group), sights)
    return list(dict.fromkeys(sentences))
