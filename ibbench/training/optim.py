"""Optimizers, learning-rate schedules and losses by name."""

import math
from collections.abc import Callable

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


def build_optimizer(options: AnyOptimizerOptions, parameters: list[Tensor]) -> Optimizer:
    """Build the optimizer. All of them work element by element, so stacked replicas do not see each other.

    The training loop sets the learning rate anew before each step, after the schedule.
    """
    lr, decay = options.lr, options.weight_decay
    if isinstance(options, AdamOptions):
        kind = AdamW if options.name == "adamw" else Adam
        return kind(parameters, lr, (options.beta1, options.beta2), weight_decay=decay, fused=True)
    momentum, nesterov = 0.0, False
    if isinstance(options, SgdMomentumOptions):
        momentum, nesterov = options.momentum, options.nesterov
    return SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=True)


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
