"""What is odd about the data of a sweep, said once before it starts."""

import math

from ibbench.budget.width import fit_to_budget
from ibbench.data.dataset import DataSet
from ibbench.data.repeats import warn_of_repeats
from ibbench.errors import InputError
from ibbench.run.plan import Point

_MOST = 0.99  # of the molecules: what is larger than all of these may be left out without loss
_TIMES = 2  # as wide as it is, a model would be without the few largest molecules: less is no matter


def list_warnings(points: list[Point]) -> list[str]:
    """Return a sentence for each thing that a user should know of the data before training on them."""
    datasets = {id(point.dataset): point.dataset for point in points}  # mostly one
    usual = {key: _usual_size(dataset) for key, dataset in datasets.items()}
    found = [warn_of_repeats(dataset) for dataset in datasets.values()]
    found += [_warn_of_sizes(point) for point in points]
    found += [_warn_of_left_out(point) for point in points]
    found += [_warn_of_large_molecules(point, usual[id(point.dataset)]) for point in points]
    return [text for text in dict.fromkeys(found) if text]


def _usual_size(dataset: DataSet) -> int:
    """Return how many atoms nearly all molecules have at most."""
    sizes = dataset.molecules.mask.sum(1)
    return int(sizes.kthvalue(math.ceil(_MOST * len(sizes))).values)


def _warn_of_sizes(point: Point) -> str:
    """Say where molecules that stay together kept a part of the split smaller than asked for."""
    data, split = point.config.data, point.split
    asked = {"test": (data.test_size, split.test), "validation": (data.validation_size, split.validation)}
    if data.split == "column":
        del asked["test"]  # its size is what the column says
    short = [
        f"data.{name}_size={size} gets {len(part):,} molecules"
        for name, (size, part) in asked.items()
        if isinstance(size, int) and len(part) < size
    ]
    why = "scaffold has so few molecules" if data.split == "scaffold" else "molecule has so few rows"
    return f"{' and '.join(short)}: no other {why}." if short else ""


def _warn_of_left_out(point: Point) -> str:
    """Say how many molecules the split has in no part."""
    split = point.split
    count = len(point.dataset) - len(split.test) - len(split.validation) - len(split.train_pool)
    if not count:
        return ""
    if point.config.data.split == "column":
        return f"{count:,} rows are left out: other rows of the same molecules test or validate."
    return f"{count:,} molecules with {' or '.join(point.config.data.held_out or ())} are left out: they do not test."


def _warn_of_large_molecules(point: Point, usual: int) -> str:
    """Say where a few large molecules take the width from a model whose inputs are as many as the largest needs.

    Args:
        point: what is planned.
        usual: the number of atoms that nearly all molecules have at most.
    """
    config, padding = point.config, point.dataset.molecules.padding
    if config.budget is None or config.budget.match == "seconds" or usual == padding.num_atoms:
        return ""
    try:
        without = fit_to_budget(padding._replace(num_atoms=usual), config.model, config.budget).sizes[0]
    except InputError:
        return ""
    width = point.resolved.model.sizes[0]
    if without < _TIMES * width:
        return ""
    few = int((point.dataset.molecules.mask.sum(1) > usual).sum())
    return (
        f"{config.model.name} is only {width} wide, because the largest molecule has {padding.num_atoms} atoms: "
        f"it would be {without} wide without the {few:,} with more than {usual} (data.max_atoms={usual})."
    )
