"""What is odd about the data of a sweep, said once before it starts."""

import math
from collections.abc import Iterator

from ibbench.budget.width import fit_to_budget
from ibbench.data.repeats import warn_of_repeats
from ibbench.errors import InputError
from ibbench.run.plan import Point

_MOST = 0.99  # of the molecules: what is larger than all of these may be left out without loss
_TIMES = 2  # as wide a model would be without the few largest molecules: less is no matter


def list_warnings(points: list[Point]) -> list[str]:
    """Return a sentence for each thing that a user should know of the data before training on them."""
    found = [warn_of_repeats(point.dataset) for point in points]
    found += [_warn_of_sizes(point) for point in points]
    found += [text for point in points for text in _warn_of_large_molecules(point)]
    return [text for text in dict.fromkeys(found) if text]


def _warn_of_sizes(point: Point) -> str:
    """Say where repeats kept a part of the split smaller than asked for."""
    data, split = point.config.data, point.split
    asked = {"test": (data.test_size, split.test), "validation": (data.validation_size, split.validation)}
    short = [
        f"data.{name}_size={size} gets {len(part):,} molecules"
        for name, (size, part) in asked.items()
        if isinstance(size, int) and len(part) < size
    ]
    return f"{' and '.join(short)}: no other molecule has so few rows." if short else ""


def _warn_of_large_molecules(point: Point) -> Iterator[str]:
    """Say where a few large molecules take the width from a model whose inputs are as many as the largest needs."""
    config, padding = point.config, point.dataset.molecules.padding
    sizes = point.dataset.molecules.mask.sum(1)
    usual = int(sizes.sort().values[math.ceil(_MOST * len(sizes)) - 1])
    if config.budget is None or config.budget.match == "seconds" or usual == padding.num_atoms:
        return
    try:
        without = fit_to_budget(padding._replace(num_atoms=usual), config.model, config.budget)
    except InputError:
        return
    width = point.resolved.model.sizes[0]
    if without.sizes[0] >= _TIMES * width:
        yield (
            f"{config.model.name} is only {width} wide, because the largest molecule has {padding.num_atoms} atoms: "
            f"without the {int((sizes > usual).sum()):,} molecules of more than {usual} it would be "
            f"{without.sizes[0]} wide (data.max_atoms={usual})."
        )
