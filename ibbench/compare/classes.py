"""How well the rows of a class rank and calibrate: AUROC and average precision with intervals, Brier score, the mean.

Verdicts rest on the log loss, as those of numbers do on the MAE. The figures here are told beside it. AUROC and average
precision are no means over molecules, but to first order each molecule contributes to them as to a mean: by its
influence, the derivative with respect to its weight (the infinitesimal jackknife, Jaeckel 1972; Efron 1982). Their
variances over molecules and seeds are then those of any mean over both (`compare.estimate`). Of the AUROC the
influences are the structural components of DeLong et al. (1988, Biometrics 44, 837), and so is the variance.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ibbench.compare.distribution import Floats
from ibbench.compare.estimate import estimate
from ibbench.compare.rows import Entry, Flags
from ibbench.compare.statistics import Sample
from ibbench.compare.study import mean_of
from ibbench.record.metrics import ClassMetricsEntry

COLUMNS = {
    "auroc_mean": "area under the ROC curve of the class on the test molecules, averaged over seeds",
    "auroc_low": "lower end of its 95 % interval, for other seeds and other test molecules",
    "auroc_high": "upper end of that interval",
    "average_precision_mean": "average precision on the test molecules, averaged over seeds",
    "average_precision_low": "lower end of its 95 % interval, for other seeds and other test molecules",
    "average_precision_high": "upper end of that interval",
    "brier_mean": "mean square of probability minus class on the test molecules, averaged over seeds",
    "calibration_error_mean": "expected calibration error of the probabilities in ten bins, averaged over seeds",
    "calibration_by_chance_mean": "the calibration error to expect if every probability were right",
    "positive_share": "share of class 1 among the test molecules; the average precision of one who knows nothing",
}


def class_figures(entry: Entry) -> dict[str, Any]:
    """Return the columns of `COLUMNS` of a row whose target is a class; those of intervals only where known."""
    tests = [replica.test for replica in entry.replicas if isinstance(replica.test, ClassMetricsEntry)]
    figures: dict[str, Any] = {
        f"{name}_mean": mean_of([getattr(test, name) for test in tests])
        for name in ("auroc", "average_precision", "brier", "calibration_error", "calibration_by_chance")
    }
    if (known := probabilities(entry)) is None:
        return figures
    probability, positive = known
    for name, influences in (("auroc", auroc_influences), ("average_precision", precision_influences)):
        values = [getattr(test, name) for test in tests]
        found = None if None in values else rank_interval(np.array(values), probability, positive, influences)
        figures |= dict(zip((f"{name}_low", f"{name}_high"), found or (None, None), strict=True))
    return figures | {"positive_share": float(positive.mean())}


def probabilities(entry: Entry) -> tuple[Floats, Flags] | None:
    """Return the probability of class 1 by each seed, `[S, M]`, and whether each molecule is of class 1, `[M]`.

    They follow from the log losses and their signs. None where predictions are not kept.
    """
    losses, too_low = entry.sample.errors, entry.too_low
    if losses is None or too_low is None:
        return None
    return np.where(too_low, np.exp(-losses), -np.expm1(-losses)), too_low[0]


def rank_interval(
    values: Floats, probability: Floats, positive: Flags, influences: Callable[[Floats, Flags], Floats]
) -> tuple[float, float] | None:
    """Return the 95 % interval of a figure of ranking, for other seeds and other test molecules; None if unknown.

    It is computed for the logit of the figure, so that its ends stay between 0 and 1.

    Args:
        values: the figure of each seed, `[S]`.
        probability: probability of class 1 by each seed, `[S, M]`.
        positive: whether a molecule is of class 1, `[M]`.
        influences: function that returns the influence of each molecule on the figure, `[M]`.
    """
    if not ((values > 0) & (values < 1)).all():
        return None
    if len(values) > 1 and float(np.ptp(values)) <= 1e-9:  # no seed changes it, as of a baseline: see `Sample`
        values, probability = values[:1], probability[:1]
    parts = np.stack([influences(row, positive) for row in probability]) / (values * (1 - values))[:, None]
    found = estimate(special.logit(values), parts, scratch=parts).interval()
    return found and (float(special.expit(found[0])), float(special.expit(found[1])))


def auroc_influences(score: Floats, positive: Flags) -> Floats:
    """Return the influence of each molecule on the AUROC, `[M]`, as its contribution to a mean over molecules.

    Of a molecule of class 1 it is the share of molecules of class 0 with a lower score, ties counted half, less the
    AUROC, times M over the number of class 1; likewise of class 0.

    Args:
        score: a score that should be higher for class 1, `[M]`.
        positive: whether a molecule is of class 1, `[M]`; there are both classes.
    """
    from scipy import stats  # takes half a second to import, and only classes need it

    ranks, found = stats.rankdata(score), np.empty(len(score))
    for side, own in ((1, positive), (-1, ~positive)):
        others = len(score) - own.sum()
        below = ranks[own] - stats.rankdata(score[own])  # molecules of the other class with a lower score
        wins = below / others if side > 0 else 1 - below / others
        found[own] = (wins - wins.mean()) * len(score) / own.sum()
    return found


def precision_influences(score: Floats, positive: Flags) -> Floats:
    """Return the influence of each molecule on the average precision, `[M]`, as its contribution to a mean.

    With precision P(s) and number N(s) of molecules at score s or above, and A the average of P over the K molecules of
    class 1, the weight of molecule k changes A by
    (y_k (P(s_k) - A) + sum over i of class 1 with s_i <= s_k of (y_k - P(s_i)) / N(s_i)) / K.

    Arguments are those of `auroc_influences`.
    """
    order = np.argsort(-score, kind="stable")
    falling, truth = score[order], positive[order].astype(float)
    last = np.searchsorted(-falling, -falling, side="right") - 1  # place of the last molecule with the same score
    first = np.searchsorted(-falling, -falling, side="left")
    precision, number = (np.cumsum(truth) / np.arange(1, len(score) + 1))[last], last + 1.0
    count = truth.sum()

    def sum_below(values: Floats) -> Floats:  # over molecules of the same or a lower score
        return np.cumsum(values[::-1])[::-1][first]

    average = float((truth * precision).sum() / count)
    by_weight = truth * (precision - average) + truth * sum_below(truth / number)
    by_weight -= sum_below(truth * precision / number)
    found = np.empty(len(score))
    found[order] = by_weight * len(score) / count
    return found


def measure_mean(losses: Floats) -> tuple[float, float | None, float | None]:
    """Return the log loss of the mean probability over seeds, with the ends of its 95 % interval, in nats.

    The probabilities of the true class, exp(-loss), are averaged. To first order seed s contributes
    L + 1 - p_s / mean(p) to the loss L of a molecule (the infinitesimal jackknife), so the interval is computed as for
    any other mean over seeds and molecules.

    Args:
        losses: log loss of each seed and molecule, `[S, M]`; S is at least 2.
    """
    of_mean = math.log(len(losses)) - special.logsumexp(-losses, axis=0)
    parts = of_mean + 1 - np.exp(of_mean - losses)
    low, high = Sample(tuple(range(len(losses))), parts.mean(1), parts).mae_interval() or (None, None)
    return float(of_mean.mean()), low, high
