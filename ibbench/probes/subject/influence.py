"""How outputs of a function depend on parts of its input: first and mixed second derivatives for pairs of parts."""

from collections.abc import Callable

import torch
from torch import Tensor


def influence(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return how each part of the output depends on each part of the input, `[B, I, J]`.

    It is the sum of the absolute derivatives of all features of an output part with respect to all features of an input
    part: the influence of Xu et al. 2018 (arXiv:1806.03536, definition 3.1), not divided by the sum over parts.

    Args:
        function: a function from `[B, J, V]` to `[B, I, W]`; no molecule may influence the output of another.
        inputs: the points where derivatives are taken, `[B, J, V]`.
    """
    inputs = inputs.detach().requires_grad_()
    outputs = function(inputs)
    width = outputs.shape[-1]
    rows = []
    for part in range(outputs.shape[1]):
        along = outputs.new_zeros(width, *outputs.shape)  # each of its W rows selects one feature of this part
        along[:, :, part] = torch.eye(width, device=outputs.device)[:, None]
        (gradients,) = torch.autograd.grad(outputs, inputs, along, is_grads_batched=True, retain_graph=True)
        rows.append(gradients.abs().sum((0, -1)))
    return torch.stack(rows, dim=1)


def mixing(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return how strongly pairs of parts of the input act together on one output, `[B, J, J]`.

    It is the Frobenius norm of the mixed second derivatives with respect to the features of two parts. Di Giovanni et
    al. 2023 (arXiv:2306.03589, definition 3.1) define mixing by the largest singular value instead.

    Args:
        function: a function from `[B, J, V]` to `[B]`; no molecule may influence the output of another.
        inputs: the points where derivatives are taken, `[B, J, V]`.
    """
    inputs = inputs.detach().requires_grad_()
    (slope,) = torch.autograd.grad(function(inputs).sum(), inputs, create_graph=True)
    width = inputs.shape[-1]
    rows = []
    for part in range(inputs.shape[1]):
        along = slope.new_zeros(width, *slope.shape)
        along[:, :, part] = torch.eye(width, device=slope.device)[:, None]
        (curved,) = torch.autograd.grad(
            slope, inputs, along, is_grads_batched=True, retain_graph=True, allow_unused=True
        )  # None if the function is linear
        rows.append(slope.new_zeros(inputs.shape[:2]) if curved is None else curved.square().sum((0, -1)).sqrt())
    return torch.stack(rows, dim=1)
