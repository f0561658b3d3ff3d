"""Warnings about the data of a sweep, printed once before it starts."""

import math

from ibbench.budget.width import fit_to_budget
from ibbench.data.dataset import DataSet
from ibbench.data.division import OF_SOURCE
from ibbench.data.repeats import warn_of_repeats
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.run.plan import Point

_MOST = 0.99  # share of the molecules that a user would keep; the few larger ones can be left out at little loss
_TIMES = 2  # warn if a model would be so many times wider without the few largest molecules


def list_warnings(points: list[Point]) -> list[str]:
    """Return the warnings that a user needs before training on these data, one sentence each.

    Args:
        points: the planned points of a sweep.
    """
    datasets = {id(point.dataset): point.dataset for point in points}  # mostly a single data set
    usual = {key: _usual_size(dataset) for key, dataset in datasets.items()}
    found = [warn_of_repeats(dataset) for dataset in datasets.values()]
    found += [_tell_labels(point) for point in points]
    found += [_warn_of_sizes(point) for point in points]
    found += [_warn_of_left_out(point) for point in points]
    found += [_warn_of_rotations(point) for point in points]
    found += [_warn_of_large_molecules(point, usual[id(point.dataset)]) for point in points]
    return [text for text in dict.fromkeys(found) if text]


def _usual_size(dataset: DataSet) -> int:
    """Return the number of atoms that nearly all molecules (`_MOST`) do not exceed."""
    sizes = dataset.molecules.mask.sum(1)
    return int(sizes.kthvalue(math.ceil(_MOST * len(sizes))).values)


def _tell_labels(point: Point) -> str:
    """Say how many molecules of each part have a label of the targets that some molecules lack."""
    told = []
    for target in point.config.targets:
        if target in point.split.unlabelled:
            one = point.split.of_target(target)
            parts = {"train": one.train_pool, "validation": one.validation, "test": one.test}
            sizes = ", ".join(f"{len(index):,} {name}" for name, index in parts.items())
            told.append(f"{target} ({sizes})")
    return f"Molecules without a label are left out for that target. With one: {'; '.join(told)}." if told else ""


def _warn_of_sizes(point: Point) -> str:
    """Say if a part of the split is smaller than asked for, because molecules that must stay together did not fit."""
    data, split = point.config.data, point.split
    asked = {"test": (data.test_size, split.test), "validation": (data.validation_size, split.validation)}
    if data.split in OF_SOURCE:
        del asked["test"]  # its size is what the source says
    short = [
        f"data.{name}_size={size} gets {len(part):,} molecules"
        for name, (size, part) in asked.items()
        if isinstance(size, int) and len(part) < size
    ]
    why = "scaffold has so few molecules" if data.split == "scaffold" else "molecule has so few rows"
    return f"{' and '.join(short)}: no other {why}." if short else ""


def _warn_of_left_out(point: Point) -> str:
    """Say how many molecules are in no part of the split."""
    split = point.split
    count = len(point.dataset) - len(split.test) - len(split.validation) - len(split.train_pool)
    if not count:
        return ""
    data = point.config.data
    if data.split == "file":
        return f"{count:,} rows of {data.path} are left out: {data.test_path} has their molecules, which test."
    if data.split == "column":
        return f"{count:,} rows are left out: other rows of the same molecules test or validate."
    return f"{count:,} molecules with {' or '.join(data.held_out or ())} are left out: they do not test."


def _warn_of_rotations(point: Point) -> str:
    """Say if molecules are rotated for a model whose predictions do not depend on it."""
    name = point.config.model.name
    if point.config.data.augmentation != "rotate" or "rotation" not in get_model(name).symmetries:
        return ""
    return f"data.augmentation=rotate changes nothing but rounding for {name}: no rotation changes its predictions."


def _warn_of_large_molecules(point: Point, usual: int) -> str:
    """Say if a few large molecules make a model much narrower.

    The number of inputs of some models is set by the largest molecule; at a fixed budget their width then shrinks.

    Args:
        point: the planned point.
        usual: the number of atoms that nearly all molecules do not exceed.
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
