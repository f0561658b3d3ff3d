"""The gradient of each molecule's prediction with respect to all weights, and the tangent kernel of these gradients."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.training.replicas import Replicas

_COPIES = 50  # copies of the weights at a time, one per molecule; more copies save no time
_COLUMNS = 8192  # columns of the gradients that are multiplied in float64 at a time, to save memory


def jacobian(
    runner: Replicas, parameters: dict[str, Tensor], buffers: dict[str, Tensor], molecules: Molecules
) -> Tensor:
    """Return the gradient of each prediction with respect to all weights, float32 `[n, P]`.

    Each molecule has its own copy of the weights, so that one backward pass gives the gradients of many molecules.
    `vmap` of `grad` over molecules is no choice, since it fails where bond types become one-hot.

    Args:
        runner: replicas in evaluation mode, which run any number of copies of the network.
        parameters: weights of the network, `[1, ...]` each, by name.
        buffers: buffers of the network, `[1, ...]` each, by name.
        molecules: the n molecules, `[n, ...]`.
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
    """Return the scalar products of all pairs of rows, summed in float64, which small eigenvalues need.

    Args:
        rows: the first vectors of the pairs, float32 `[n, P]`.
        others: the second vectors of the pairs, float32 `[m, P]`; None for `rows`.

    Returns:
        The products, float64 `[n, m]`.
    """
    others = rows if others is None else others
    total = torch.zeros(len(rows), len(others), dtype=torch.float64, device=rows.device)
    for block, other in zip(rows.split(_COLUMNS, dim=1), others.split(_COLUMNS, dim=1), strict=True):
        total += block.double() @ other.double().T
    return total
