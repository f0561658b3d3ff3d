"""How well probabilities tell two classes apart: log loss, Brier score, ranking and calibration, in float64."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NUM_BINS = 10  # of molecules by rising probability, with as many molecules in each, for the calibration error

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class ClassMetrics(NamedTuple):
    """How far the probabilities of class 1 are from the classes of a set of molecules.

    Attributes:
        log_loss: mean of minus the natural logarithm of the probability of the true class, in nats. It is 0 for
            certainty that is right, and ln 2 = 0.693 for a coin.
        brier: mean square of probability minus class (Brier 1950).
        auroc: probability that a random molecule of class 1 gets a higher probability than one of class 0, which is the
            area under the ROC curve; None if there is one class only. Likewise the next.
        average_precision: see `average_precision`.
        calibration_error: see `calibration_error`.
        calibration_by_chance: the calibration error to expect if every probability were right.
    """

    log_loss: float
    brier: float
    auroc: float | None
    average_precision: float | None
    calibration_error: float
    calibration_by_chance: float


def log_losses(logit: Tensor, truth: Tensor) -> Tensor:
    """Return the log loss of each molecule in nats, of the shape of both arguments.

    It is ln(1 + exp(-z)) where the class is 1, and ln(1 + exp(z)) where it is 0, for the logit z. Computed from a
    probability that is rounded to 0 or 1 it would be infinite, or 0.

    Args:
        logit: logits of class 1, float64.
        truth: classes, 0 or 1, float64.
    """
    signed = (1 - 2 * truth) * logit
    return torch.logaddexp(torch.zeros_like(signed), signed)


def measure_class(logit: Tensor, truth: Tensor) -> ClassMetrics:
    """Compare predictions with the classes of molecules.

    Args:
        logit: logits of class 1, float64 `[m]`.
        truth: classes, 0 or 1, float64 `[m]`.
    """
    probability, positive = logit.sigmoid().numpy(), truth.numpy() > 0
    both = bool(0 < positive.sum() < len(positive))
    error, by_chance = calibration_error(probability, positive)
    return ClassMetrics(
        log_loss=log_losses(logit, truth).mean().item(),
        brier=float(np.square(probability - positive).mean()),
        # By logits, which differ where probabilities are so near to 1 that they are rounded to it.
        auroc=auroc(logit.numpy(), positive) if both else None,
        average_precision=average_precision(logit.numpy(), positive) if both else None,
        calibration_error=error,
        calibration_by_chance=by_chance,
    )


def auroc(score: Floats, positive: Flags) -> float:
    """Return the area under the ROC curve from ranks, ties counted half (Hanley & McNeil 1982, Radiology 143, 29).

    Args:
        score: a score that should be higher for class 1, `[m]`.
        positive: whether a molecule is of class 1, `[m]`; there are both classes.
    """
    count = int(positive.sum())
    from scipy import stats  # takes half a second to import, and only classes need it

    wins = stats.rankdata(score)[positive].sum() - count * (count + 1) / 2
    return float(wins / (count * (len(positive) - count)))


def average_precision(score: Floats, positive: Flags) -> float:
    """Return the mean over the molecules of class 1 of the precision at their score.

    The precision at a score is the share of class 1 among the molecules that have this score or a higher one. It is the
    area under the steps of the precision-recall curve, and the share of class 1 for a predictor that knows nothing.

    Arguments are those of `auroc`.
    """
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(positive[order])
    last = np.searchsorted(-score[order], -score, side="right") - 1  # place of the last molecule with the same score
    return float((found[last] / (last + 1))[positive].mean())


def calibration_error(probability: Floats, positive: Flags, num_bins: int = NUM_BINS) -> tuple[float, float]:
    """Return the expected calibration error, and the one to expect by chance (Naeini et al. 2015, AAAI, page 2901).

    Molecules are sorted by probability and divided into bins of as many molecules each, or one more. The error is how
    far the share of class 1 in a bin is from the mean probability there, averaged over molecules. Few molecules have an
    error even if every probability is right: the share in a bin of n molecules then has the variance
    sum of p (1 - p) / n^2, and the mean size of a normal deviation is its standard deviation times sqrt(2 / pi).

    Args:
        probability: probability of class 1, `[m]`.
        positive: whether a molecule is of class 1, `[m]`.
        num_bins: number of bins; as many as there are molecules, if these are fewer.
    """
    order = np.argsort(probability, kind="stable")
    error = by_chance = 0.0
    for part in np.array_split(order, min(num_bins, len(order))):
        stated = probability[part]
        error += abs(float(stated.sum() - positive[part].sum()))
        by_chance += float(np.sqrt(2 / np.pi * (stated * (1 - stated)).sum()))
    return error / len(order), by_chance / len(order)
