"""What a model costs: parameters, FLOPs, memory."""

import functools
import math

import torch
from torch.utils.flop_counter import FlopCounterMode

from ibbench.data.layout import NUM_ATOM_FEATURES, Padding
from ibbench.data.molecules import Molecules
from ibbench.models.registry import build_model, get_model
from ibbench.options.groups import ModelOptions


@functools.cache  # the points of a sweep have few models between them
def count_parameters(num_atoms: int, options: ModelOptions) -> int:
    """Count the trainable parameters of the model, without allocating them."""
    with torch.device("meta"):
        model = get_model(options.name)(num_atoms, options)
    return sum(parameter.numel() for parameter in model.parameters())


@functools.cache
def count_flops(padding: Padding, options: ModelOptions) -> int:
    """Count the floating-point operations of one prediction for one molecule, with torch's own counter.

    It counts matrix products (a multiplication and an addition each), which are nearly all of the work.
    """
    with torch.device("meta"):
        model = get_model(options.name)(padding.num_atoms, options).eval()
        molecules = blank_molecules(padding, 1)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(molecules)
    return counter.get_total_flops()


def count_training_flops(padding: Padding, options: ModelOptions) -> int:
    """Count the floating-point operations of training on one molecule once.

    They are three times those of a prediction: forward, and backward through the inputs and the weights.
    """
    return 3 * count_flops(padding, options)


def count_saved_bytes(padding: Padding, options: ModelOptions) -> int:
    """Count what a forward pass keeps in memory for its backward pass, a molecule, without the weights."""
    with torch.random.fork_rng(devices=[]):
        model = build_model(padding.num_atoms, options).train()
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    count = 8  # so that what does not depend on the batch weighs little
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        prediction = model(blank_molecules(padding, count))
    total = sum(size for pointer, size in saved.items() if pointer not in weights)
    del prediction  # it held all that was saved, so that no two could have the same address
    return math.ceil(total / count)


def blank_molecules(padding: Padding, count: int) -> Molecules:
    """Return molecules of the right shapes, and of no meaning."""
    n, length = padding
    return Molecules(
        torch.zeros(count, n, NUM_ATOM_FEATURES),
        torch.zeros(count, n, n, dtype=torch.uint8),
        torch.ones(count, n, dtype=torch.bool),
        torch.zeros(count, n, 3),
        torch.ones(count, length, dtype=torch.uint8),
    )
