"""Optimizers, learning-rate schedules and losses by name."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer

from ibbench.options.groups import (
    AdamOptions,
    AnyOptimizerOptions,
    AnyScheduleOptions,
    ConstantOptions,
    CosineOptions,
    SamOptions,
    SgdMomentumOptions,
    StepOptions,
)

LOSSES: dict[str, Callable[..., Tensor]] = {
    "l1": functional.l1_loss,
    "mse": functional.mse_loss,
    "huber": functional.huber_loss,  # quadratic below one standard deviation of the target, linear above
}


class StackedOptimizer:
    """One of torch's optimizers on the stacked parameters of R replicas.

    The optimizers work element by element, so that replicas do not influence each other. If all replicas have the same
    learning rate and weight decay, torch gets the stacked parameters as one group; otherwise it gets one group per
    replica, which holds that replica's slices of the parameters.

    Args:
        options: the optimizer, and the options that all replicas share.
        parameters: the stacked parameters, each `[R, ...]`; they must have gradients when `step` is called.
        rates: the learning rate of each replica.
        decays: the weight decay of each replica.

    Attributes:
        rates: the learning rate of each replica, before the schedule's factor.
        coordinates: what is trained in the place of the parameters, `[R, d]`; None if these are trained themselves, see
            `ibbench.training.subspace`.
    """

    coordinates: Tensor | None = None

    def __init__(
        self, options: AnyOptimizerOptions, parameters: list[Tensor], rates: list[float], decays: list[float]
    ) -> None:
        alike = len(set(zip(rates, decays, strict=True))) == 1
        self.rates = rates
        self._parameters = parameters
        self._slices = [] if alike else [[each.detach()[row] for each in parameters] for row in range(len(rates))]
        groups = [
            {"params": params, "lr": rate, "weight_decay": decay}
            for params, rate, decay in zip(self._slices or [parameters], rates, decays, strict=False)
        ]
        self.optimizer = _build(options, groups)

    def step(self, factor: float) -> None:
        """Take one step.

        Args:
            factor: the number that the schedule multiplies every learning rate by.
        """
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=False):
            group["lr"] = rate * factor
        for row, slices in enumerate(self._slices):
            for part, whole in zip(slices, self._parameters, strict=True):
                part.grad = None if whole.grad is None else whole.grad[row]
        self.optimizer.step()


def plain_optimizer(options: AnyOptimizerOptions, parameters: list[Tensor]) -> Optimizer:
    """Build the optimizer that `options` name for the parameters of one model, which are not stacked."""
    return _build(options, [{"params": parameters, "lr": options.lr, "weight_decay": options.weight_decay}])


def _build(options: AnyOptimizerOptions, groups: list[dict[str, Any]]) -> Optimizer:
    if isinstance(options, AdamOptions | SamOptions):
        kind = Adam if options.name == "adam" else AdamW
        return kind(groups, options.lr, (options.beta1, options.beta2), fused=True)
    momentum, nesterov = 0.0, False
    if isinstance(options, SgdMomentumOptions):
        momentum, nesterov = options.momentum, options.nesterov
    return SGD(groups, options.lr, momentum, nesterov=nesterov, fused=True)


def learning_rate_factor(options: AnyScheduleOptions, fraction: float) -> float:
    """Return the factor on the learning rate at one moment of the training.

    The cosine is that of Loshchilov & Hutter 2017 (arXiv:1608.03983, equation 5): final + (1 - final) (1 + cos(pi t)) /
    2, where t goes from 0 to 1.

    Args:
        options: the schedule.
        fraction: the steps that are done, as a fraction of all steps, from 0 to 1.
    """
    if isinstance(options, ConstantOptions):
        return 1.0
    if isinstance(options, StepOptions):
        return options.factor ** int(fraction / options.every)
    if isinstance(options, CosineOptions):
        return _cosine(fraction, options.final)
    if fraction < options.warmup:
        return fraction / options.warmup
    return _cosine((fraction - options.warmup) / (1 - options.warmup), options.final)


def _cosine(fraction: float, final: float) -> float:
    return final + (1 - final) * (1 + math.cos(math.pi * fraction)) / 2


def clip_gradients(parameters: list[Tensor], max_norm: float) -> None:
    """Scale the gradients of each replica on its own so that their joint norm is at most `max_norm`."""
    with_gradient = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
    factor = (max_norm / gradient_norms([gradient for _, gradient in with_gradient])).clamp(max=1.0)
    for parameter, gradient in with_gradient:  # not in place: two gradients that are equal may share their memory
        parameter.grad = gradient * factor.view(-1, *[1] * (gradient.dim() - 1))


def gradient_norms(gradients: list[Tensor]) -> Tensor:
    """Return the joint Euclidean norm of the gradients of each replica, `[R]`, from stacked gradients `[R, ...]`."""
    return torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
