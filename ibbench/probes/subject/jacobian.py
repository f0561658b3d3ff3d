"""The gradient of each molecule's prediction by itself, and the kernel that these gradients are the features of."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.training.replicas import Replicas

_COPIES = 50  # of the weights at a time, one per molecule; more gain no time
_COLUMNS = 8192  # of the gradients at a time, in float64


def jacobian(
    runner: Replicas, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules
) -> Tensor:
    """Return the gradient of each prediction with respect to all weights, float32 `[n, P]`.

    Each molecule has a copy of the weights to itself, so that one backward pass gives the gradients of many: `vmap` of
    `grad` over molecules would fail where types of bonds become one-hot.

    Args:
        runner: what runs copies of the network, in evaluation mode.
        parameters: the weights, name -> `[1, ...]`.
        buffers: name -> `[1, ...]`.
        molecules: `[n, ...]`.
    """
    rows = []
    for chunk in torch.arange(len(molecules.mask), device=molecules.mask.device).split(_COPIES):
        count = len(chunk)
        copies = {
            name: tensor.expand(count, *tensor.shape[1:]).clone().requires_grad_()
            for name, tensor in parameters.items()
        }
        shared = {name: tensor.expand(count, *tensor.shape[1:]) for name, tensor in buffers.items()}
        total = runner.run(copies, shared, molecules.select(chunk[:, None])).sum()
        gradients = torch.autograd.grad(total, list(copies.values()), allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten(1) for gradient in gradients], dim=1))
    return torch.cat(rows)


def gram(rows: Tensor, others: Tensor | None = None) -> Tensor:
    """Return the products of all pairs of rows, summed in float64: small eigenvalues need its digits.

    Args:
        rows: float32 `[n, P]`.
        others: float32 `[m, P]`; None for the rows themselves.

    Returns:
        `[n, m]`.
    """
    others = rows if others is None else others
    total = torch.zeros(len(rows), len(others), dtype=torch.float64, device=rows.device)
    for block, other in zip(rows.split(_COLUMNS, dim=1), others.split(_COLUMNS, dim=1), strict=True):
        total += block.double() @ other.double().T
    return total
