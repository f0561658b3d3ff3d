"""The speed that this machine's matrix products reach at the shapes of a model: the ceiling for its training."""

import time
from collections import Counter

import torch
from torch import Tensor, nn

from ibbench.data.molecules import Molecules
from ibbench.models.registry import build_model
from ibbench.options.model import ModelOptions

_SECONDS = 0.05  # for each product


def linear_shapes(molecules: Molecules, options: ModelOptions) -> Counter[tuple[int, int, int]]:
    """Count the matrix products of a model's linear layers on a batch, by their shape (rows, inputs, outputs)."""
    shapes: Counter[tuple[int, int, int]] = Counter()

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear)
        shapes[inputs[0].numel() // layer.in_features, layer.in_features, layer.out_features] += 1

    model = build_model(molecules.padding, options)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(note)
    with torch.no_grad():
        model(molecules._replace(atoms=molecules.atoms.float()))
    return shapes


def ceiling_gflops(shapes: Counter[tuple[int, int, int]]) -> float:
    """Measure the GFLOP/s of matrix products and of the two products in the backward pass of each, and nothing else.

    Args:
        shapes: how many products there are of each shape, as `linear_shapes` counts them.
    """
    flops = seconds = 0.0
    for (rows, inputs, outputs), count in shapes.items():
        x, weight, gradient = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(rows, outputs)
        for one, other in ((x, weight.T), (gradient, weight), (gradient.T, x)):
            seconds += count * _shortest_seconds(one, other)
            flops += count * 2 * rows * inputs * outputs
    return flops / seconds / 1e9


def _shortest_seconds(one: Tensor, other: Tensor) -> float:
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        started = time.perf_counter()
        torch.mm(one, other)
        best = min(best, time.perf_counter() - started)
    return best
