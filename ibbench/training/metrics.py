"""Errors in the target's unit, float64, as exact sums over molecules.

Each kind of target has one error per molecule that all statistics rest on: a number the absolute error in its unit, a
class the log loss in nats.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.training.class_metrics import log_losses


class Metrics(NamedTuple):
    """How far predictions are from the truth over a set of molecules.

    `mae` and `rmse` are in the target's unit; `r2` is the coefficient of determination; `mae_over_std` is the
    MAE divided by the standard deviation of the truth over the same molecules. The last two are None when the
    truth is constant.
    """

    mae: float
    rmse: float
    r2: float | None
    mae_over_std: float | None


def measure(prediction: Tensor, truth: Tensor) -> Metrics:
    """Compare predictions with the truth, both float64 `[m]` in the target's unit; r2 = 1 - MSE / variance of truth."""
    error = prediction - truth
    variance = truth.var(correction=0)
    constant = bool(truth.amin() == truth.amax())  # rounding may leave a variance above 0
    mae, mse = error.abs().mean(), error.square().mean()
    return Metrics(
        mae=mae.item(),
        rmse=mse.sqrt().item(),
        r2=None if constant else (1 - mse / variance).item(),
        mae_over_std=None if constant else (mae / variance.sqrt()).item(),
    )


def mean_error(prediction: Tensor, truth: Tensor, is_class: Tensor) -> Tensor:
    """Return the mean error of each replica, float64 `[R]`: the MAE, and of a class the log loss.

    Args:
        prediction: predicted values in the targets' units, and logits of class 1, float64 `[R, m]`.
        truth: true values, and classes, float64 `[R, m]`; NaN for molecules that lack the label, which do not count.
        is_class: whether the target of a replica is a class, bool `[R]`.
    """
    found = mean_absolute_error(prediction, truth)
    if is_class.any():
        found[is_class] = log_losses(prediction[is_class], truth[is_class]).nanmean(1)  # without missing labels
    return found


def mean_absolute_error(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return the MAE of each replica, float64 `[R]`, from predictions and truth `[R, m]`.

    Molecules that lack the label of a replica, whose truth is NaN, do not count for it.
    """
    error, missing = (prediction - truth).abs(), truth.isnan()
    if missing.any():
        return torch.as_tensor(error.masked_fill(missing, 0).sum(1) / (~missing).sum(1))
    return torch.as_tensor(error.mean(1))
