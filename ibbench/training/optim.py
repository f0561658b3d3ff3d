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
    SgdMomentumOptions,
    StepOptions,
)

LOSSES: dict[str, Callable[..., Tensor]] = {
    "l1": functional.l1_loss,
    "mse": functional.mse_loss,
    "huber": functional.huber_loss,  # quadratic below one standard deviation of the target, linear above
}


class StackedOptimizer:
    """One of torch's optimizers on the stacked parameters of many replicas.

    All of them work element by element, so that replicas do not see each other. Replicas with the same learning rate
    and weight decay are one group of stacked parameters; otherwise each replica is a group of slices of them.

    Args:
        options: the optimizer, and what all replicas share.
        parameters: each `[R, ...]`, with gradients of the same shape when `step` is called.
        rates: learning rate of each replica.
        decays: weight decay of each replica.

    Attributes:
        rates: learning rate of each replica, before the schedule.
    """

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
            factor: the schedule's factor on every learning rate.
        """
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=False):
            group["lr"] = rate * factor
        for row, slices in enumerate(self._slices):
            for part, whole in zip(slices, self._parameters, strict=True):
                part.grad = None if whole.grad is None else whole.grad[row]
        self.optimizer.step()


def plain_optimizer(options: AnyOptimizerOptions, parameters: list[Tensor]) -> Optimizer:
    """Build the same optimizer for the parameters of one model."""
    return _build(options, [{"params": parameters, "lr": options.lr, "weight_decay": options.weight_decay}])


def _build(options: AnyOptimizerOptions, groups: list[dict[str, Any]]) -> Optimizer:
    if isinstance(options, AdamOptions):
        kind = AdamW if options.name == "adamw" else Adam
        return kind(groups, options.lr, (options.beta1, options.beta2), fused=True)
    momentum, nesterov = 0.0, False
    if isinstance(options, SgdMomentumOptions):
        momentum, nesterov = options.momentum, options.nesterov
    return SGD(groups, options.lr, momentum, nesterov=nesterov, fused=True)


def learning_rate_factor(options: AnyScheduleOptions, fraction: float) -> float:
    """Return what the learning rate is multiplied by after a fraction, from 0 to 1, of all steps."""
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
    squares = torch.stack([gradient.flatten(1).square().sum(1) for _, gradient in with_gradient])
    factor = (max_norm / squares.sum(0).sqrt()).clamp(max=1.0)
    for parameter, gradient in with_gradient:  # not in place: two gradients that are equal may share their memory
        parameter.grad = gradient * factor.view(-1, *[1] * (gradient.dim() - 1))
