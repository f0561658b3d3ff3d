"""What a model costs: parameters, FLOPs, memory."""

import functools
import math

import torch
from torch.utils.flop_counter import FlopCounterMode

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.registry import build_model, get_model
from ibbench.options.model import ModelOptions


@functools.cache  # the points of a sweep have few models between them
def count_parameters(padding: Padding, options: ModelOptions) -> int:
    """Count the trainable parameters of a model, without allocating them.

    Args:
        padding: the sizes of the molecules.
        options: the model with its width.
    """
    with torch.device("meta"):
        model = get_model(options.name)(padding, options)
    return sum(parameter.numel() for parameter in model.parameters())


@functools.cache
def count_flops(padding: Padding, options: ModelOptions) -> int:
    """Count the floating-point operations of the prediction for one molecule, with torch's own counter.

    The counter counts matrix products, which are nearly all of the work; a multiplication and an addition are two
    operations.

    Args:
        padding: the size that the molecule is padded to; work on padding counts, since it is done.
        options: the model with its width.
    """
    with torch.device("meta"):
        model = get_model(options.name)(padding, options).eval()
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


@functools.cache
def count_saved_bytes(padding: Padding, options: ModelOptions) -> int:
    """Count the bytes per molecule that a forward pass in training keeps for its backward pass, without the weights.

    Args:
        padding: the size that the molecules are padded to.
        options: the model with its width.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_model(padding, options).train()
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    count = 8  # with several molecules, the bytes that do not depend on their number are few per molecule
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        prediction = model(blank_molecules(padding, count))
    total = sum(size for pointer, size in saved.items() if pointer not in weights)
    del prediction  # until here it kept alive what was saved, so that no address was used twice
    return math.ceil(total / count)


def blank_molecules(padding: Padding, count: int) -> Molecules:
    """Return `count` molecules of the shapes that a model gets, with zeros for features, bonds and positions."""
    n, length, features = padding
    return Molecules(
        torch.zeros(count, n, features),
        torch.zeros(count, n, n, dtype=torch.uint8),
        torch.ones(count, n, dtype=torch.bool),
        torch.zeros(count, n, 3),
        torch.ones(count, length, dtype=torch.uint8),
    )
