"""What a model costs, and the width at which it costs what the budget says."""

import functools
import math
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
_GRAINS = (8, 4, 2, 1)


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
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(_blank_molecules(num_atoms, 1))
    return counter.get_total_flops()


def count_saved_bytes(num_atoms: int, options: ModelOptions) -> int:
    """Count what a forward pass keeps in memory for its backward pass, a molecule, without the weights."""
    with torch.random.fork_rng(devices=[]):
        model = build_model(num_atoms, options).train()
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    count = 8  # so that what does not depend on the batch weighs little
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        prediction = model(_blank_molecules(num_atoms, count))
    total = sum(size for pointer, size in saved.items() if pointer not in weights)
    del prediction  # it held all that was saved, so that no two could have the same address
    return math.ceil(total / count)


def _blank_molecules(num_atoms: int, count: int) -> Molecules:
    return Molecules(
        torch.zeros(count, num_atoms, NUM_ATOM_FEATURES),
        torch.zeros(count, num_atoms, num_atoms, dtype=torch.uint8),
        torch.ones(count, num_atoms, dtype=torch.bool),
        torch.zeros(count, num_atoms, 3),
    )


def fit_to_budget(num_atoms: int, options: ModelOptions, parameters: int) -> ModelOptions:
    """Choose a width, and a hidden width of about twice that, that come near to a number of parameters.

    Both are multiples of 8 if that is possible within 2 % of the budget, and of 4, 2 or 1 if not: matrix products of
    such sizes are up to a third faster than those of their neighbours.

    Returns:
        The options with `width` and `hidden` set.

    Raises:
        InputError: no width comes within 2 % of the budget.
    """

    @functools.cache
    def count(width: int, hidden: int) -> int:
        return count_parameters(num_atoms, options.model_copy(update={"width": width, "hidden": hidden}))

    reached: dict[tuple[int, int], int] = {}
    for grain in _GRAINS:
        for width in _bracket(lambda size: count(size, 2 * size), parameters, grain):
            for hidden in _bracket(functools.partial(count, width), parameters, grain):
                reached[width, hidden] = count(width, hidden)
        near = {
            sizes: abs(math.log(sizes[1] / sizes[0] / 2)) for sizes in reached if _meets(reached[sizes], parameters)
        }
        # The finest grain takes what it can get: a tiny budget allows no choice.
        if near and (min(near.values()) < math.log(1.3) or grain == _GRAINS[-1]):
            width, hidden = min(near, key=near.__getitem__)
            return options.model_copy(update={"width": width, "hidden": hidden})
    (width, _), nearest = min(reached.items(), key=lambda item: abs(item[1] - parameters))
    raise InputError(
        f"`budget.parameters={parameters}` cannot be met by {options.name} with depth {options.depth}: "
        f"the nearest is {nearest} (width {width}). Choose a larger budget or a smaller model.depth"
    )


def _meets(count: int, parameters: int) -> bool:
    return abs(count - parameters) <= TOLERANCE * parameters


def _bracket(count: Callable[[int], int], goal: int, grain: int) -> tuple[int, int]:
    """Return neighbouring multiples of `grain` between whose counts, which rise with the size, the goal lies."""
    low, high = 1, 2
    while count(high * grain) <= goal and high * grain < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle * grain) <= goal else (low, middle)
    return low * grain, high * grain
