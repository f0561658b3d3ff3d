"""What a model costs, and the width at which it costs what the budget says."""

import functools
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from ibbench.config import ModelOptions
from ibbench.data.layout import NUM_ATOM_FEATURES
from ibbench.data.molecules import Molecules
from ibbench.errors import InputError
from ibbench.models.blocks import initialise, number_dropouts
from ibbench.models.registry import Model, get_model

TOLERANCE = 0.02  # of the budget
_WIDEST = 1 << 14


def build_model(num_atoms: int, options: ModelOptions) -> Model:
    """Build one model, its weights drawn from torch's global generator.

    Args:
        num_atoms: N, the number of atoms that molecules are padded to.
        options: the recipe; `options.name` says which model.
    """
    model = get_model(options.name)(num_atoms, options)
    initialise(model, options.initialisation)
    number_dropouts(model)
    return model


def count_parameters(num_atoms: int, options: ModelOptions) -> int:
    """Count the trainable parameters of the model, without allocating them."""
    with torch.device("meta"):
        model = get_model(options.name)(num_atoms, options)
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(num_atoms: int, options: ModelOptions) -> int:
    """Count the floating-point operations of one prediction for one molecule, with torch's own counter.

    It counts matrix products (a multiplication and an addition each), which are nearly all of the work.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_model(num_atoms, options).eval()
    one = Molecules(
        torch.zeros(1, num_atoms, NUM_ATOM_FEATURES),
        torch.zeros(1, num_atoms, num_atoms, dtype=torch.uint8),
        torch.ones(1, num_atoms, dtype=torch.bool),
        torch.zeros(1, num_atoms, 3),
    )
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(one)
    return counter.get_total_flops()


def fit_to_budget(num_atoms: int, options: ModelOptions, parameters: int) -> ModelOptions:
    """Choose the width, then the hidden width from about twice that on, that come nearest to a number of parameters.

    The width alone moves the count in steps of several percent; the hidden width fills the gap.

    Returns:
        The options with `width` and `hidden` set.

    Raises:
        InputError: no width comes within 2 % of the budget.
    """

    def at(width: int, hidden: int) -> ModelOptions:
        return options.model_copy(update={"width": width, "hidden": hidden})

    @functools.cache
    def count(width: int, hidden: int) -> int:
        return count_parameters(num_atoms, at(width, hidden))

    # The width comes out at or below the budget: the hidden width can then always fill what is left.
    width, _ = _bracket(lambda candidate: count(candidate, 2 * candidate), parameters)
    around = _bracket(lambda candidate: count(width, candidate), parameters)
    hidden = min(around, key=lambda candidate: abs(count(width, candidate) - parameters))
    reached = count(width, hidden)
    if abs(reached - parameters) > TOLERANCE * parameters:
        raise InputError(
            f"`budget.parameters={parameters}` cannot be met by {options.name} with depth {options.depth}: "
            f"the nearest is {reached} (width {width}). Choose a larger budget or a smaller model.depth"
        )
    return at(width, hidden)


def _bracket(count: Callable[[int], int], goal: int) -> tuple[int, int]:
    """Return neighbouring sizes between whose counts, which rise with the size, the goal lies (from 1 and 2 on)."""
    low, high = 1, 2
    while count(high) <= goal and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= goal else (low, middle)
    return low, high
