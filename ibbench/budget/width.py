"""The width at which a model costs as much as the budget allows, counted in parameters or FLOPs."""

import functools
import math
from collections.abc import Callable

from ibbench.budget.cost import count_flops, count_parameters
from ibbench.data.layout import Padding
from ibbench.errors import InputError
from ibbench.options.groups import BudgetOptions
from ibbench.options.model import ModelOptions

TOLERANCE = 0.02  # the share of the budget that a cost may miss it by, where costs are counted and not measured
_WIDEST = 1 << 14
_GRAINS = (8, 4, 2, 1)  # sizes are multiples of the first of these with which the budget can be met


@functools.cache
def fit_to_budget(padding: Padding, options: ModelOptions, budget: BudgetOptions) -> ModelOptions:
    """Choose a width, and a hidden width of about twice that, at which the model costs what the budget allows.

    Both are multiples of 8 if that is possible within 2 % of the budget, else of 4, 2 or 1: matrix products of such
    sizes are up to a third faster than those of sizes in between.

    Args:
        padding: the size that the molecules are padded to.
        options: the model, without a width.
        budget: a number of parameters, or of FLOPs per predicted molecule.

    Returns:
        The options with `width` and `hidden` set.

    Raises:
        InputError: no width comes within 2 % of the budget.
    """
    assert budget.match != "seconds"  # measured, see `ibbench.run.pace`

    @functools.cache
    def count(width: int, hidden: int) -> int:
        sized = options.model_copy(update={"width": width, "hidden": hidden})
        if budget.match == "parameters":
            return count_parameters(padding, sized)
        return count_flops(padding, sized)

    reached: dict[tuple[int, int], int] = {}
    for grain in _GRAINS:
        for width in bracket(lambda size: count(size, 2 * size), budget.value, grain):
            for hidden in bracket(functools.partial(count, width), budget.value, grain):
                reached[width, hidden] = count(width, hidden)
        near = {
            sizes: abs(math.log(sizes[1] / sizes[0] / 2)) for sizes in reached if _meets(reached[sizes], budget.value)
        }
        # At the finest grain any ratio of the two will do: a tiny budget allows no choice.
        if near and (min(near.values()) < math.log(1.3) or grain == _GRAINS[-1]):
            width, hidden = min(near, key=near.__getitem__)
            return options.model_copy(update={"width": width, "hidden": hidden})
    (width, _), nearest = min(reached.items(), key=lambda item: abs(item[1] - budget.value))
    raise InputError(
        f"`budget.value={budget.value:.15g}` {budget.match} cannot be met by {options.name} with depth "
        f"{options.depth}: the nearest is {nearest} (width {width}). Choose a larger budget or a smaller model.depth"
    )


def _meets(count: int, goal: float) -> bool:
    return abs(count - goal) <= TOLERANCE * goal


def bracket(count: Callable[[int], float], goal: float, grain: int, widest: int = _WIDEST) -> tuple[int, int]:
    """Find the two sizes around a goal.

    Args:
        count: a function that returns the cost at a size; the cost must rise with the size.
        goal: the cost to come near.
        grain: the number that sizes are multiples of.
        widest: the size above which no larger one is tried.

    Returns:
        Two neighbouring multiples of `grain`. The goal lies between their costs, unless it is below the cost of
        `grain` or above that of all sizes tried.
    """
    low, high = 1, 2
    while count(high * grain) <= goal and high * grain < widest:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle * grain) <= goal else (low, middle)
    return low * grain, high * grain
