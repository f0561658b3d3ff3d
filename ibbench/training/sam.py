"""Sharpness-aware minimisation: the gradient is taken where the loss nearby is highest (`optimizer=sam`)."""

from collections.abc import Callable

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.options.groups import AnyOptimizerOptions, SamOptions
from ibbench.training.optim import gradient_norms
from ibbench.training.replicas import Replicas

# Takes a batch `[R, B, ...]` and its labels `[R, B]`, leaves gradients in the parameters, and returns losses `[R]`.
Differentiate = Callable[[Molecules, Tensor], Tensor]
_TINY = 1e-12  # so that weights without any gradient stay where they are


def sharpness_aware(differentiate: Differentiate, models: Replicas, options: AnyOptimizerOptions) -> Differentiate:
    """Return a function that computes the gradients that the optimizer asks for; only `sam` changes them.

    With w the weights of a replica and g the gradient of its loss there, `sam` takes the gradient at w + rho g / |g|
    and leaves w as it was (Foret et al. 2021, arXiv:2010.01412, equations 2 and 3). The norm is over all weights of one
    replica, so that replicas do not influence each other. Both passes see the same batch with the same dropout. The
    running statistics of batch normalisation, and the loss that is returned, are those of the first pass.

    Args:
        differentiate: a function that leaves the gradients at the current weights in the parameters.
        models: the replicas that it differentiates.
        options: the optimizer.
    """
    if not isinstance(options, SamOptions):
        return differentiate
    parameters, rho = list(models.parameters.values()), options.rho

    @torch.no_grad()
    def climb() -> list[Tensor]:
        """Move the weights to where the loss nearby is highest; return where they were."""
        with_gradient = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
        length = rho / (gradient_norms([gradient for _, gradient in with_gradient]) + _TINY)
        start = [parameter.detach().clone() for parameter in parameters]
        for parameter, gradient in with_gradient:
            parameter += gradient * length.view(-1, *[1] * (gradient.dim() - 1))
        return start

    @torch.no_grad()
    def restore(tensors: list[Tensor], start: list[Tensor]) -> None:
        """Copy the values in `start` back into the tensors."""
        for tensor, value in zip(tensors, start, strict=True):
            tensor.copy_(value)

    def twice(molecules: Molecules, labels: Tensor) -> Tensor:
        """Leave the gradients of the highest loss nearby in the parameters; return the losses of the first pass."""
        loss = differentiate(molecules, labels)
        buffers = list(models.buffers.values())
        statistics = [buffer.clone() for buffer in buffers]
        start = climb()
        differentiate(molecules, labels)
        restore(parameters, start)
        restore(buffers, statistics)
        return loss

    return twice
