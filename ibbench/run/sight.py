"""What the models of runs see of their molecules, for what is said of a run and kept in its record."""

from collections.abc import Set
from typing import TYPE_CHECKING

from ibbench.data.unseen import Counts, Sight, count_unseen, describe_unseen
from ibbench.models.registry import get_model
from ibbench.options.model import ModelOptions

if TYPE_CHECKING:
    from ibbench.run.plan import Point


def sight_of(options: ModelOptions) -> Sight:
    """Return what a model with these options sees of a molecule."""
    return name_sight(get_model(options.name).reads_with(options))


def name_sight(reads: Set[str]) -> Sight:
    """Name what a model reads that reads these fields of `Molecules`: the most telling of them."""
    if "tokens" in reads:
        return "SMILES"
    return "coordinates" if "positions" in reads else "atoms and bonds"


def count_for(points: "list[Point]") -> Counts:
    """Count what the molecules of some runs of one data set carry; who looks alike differs in a target of theirs."""
    dataset = points[0].dataset
    targets = dict.fromkeys(target for point in points for target in point.config.targets)
    columns = [dataset.column(target) for target in targets]
    return count_unseen(dataset.unseen, dataset.values[:, columns].numpy())


def tell_unseen(points: "list[Point]") -> list[str]:
    """Say what the models of some runs do not see of the molecules of each of their data sets."""
    by_data: dict[int, list[Point]] = {}
    for point in points:
        by_data.setdefault(id(point.dataset), []).append(point)
    sentences = []
    for group in by_data.values():
        sights = {point.config.model.name: sight_of(point.resolved.model) for point in group}
        sentences += describe_unseen(count_for(group), sights)
    return list(dict.fromkeys(sentences))
