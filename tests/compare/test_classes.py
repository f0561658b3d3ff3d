"""Intervals of AUROC and average precision, and the mean over seeds, of classes."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special
from sklearn import metrics

from ibbench.compare.classes import auroc_influences, measure_mean, precision_influences, rank_interval
from ibbench.training.class_metrics import auroc, average_precision

Floats = NDArray[np.float64]
Draw = tuple[Floats, NDArray[np.bool_]]


def _draw(seed: int, count: int = 120, decimals: int = 9) -> Draw:
    """Draw classes, and scores that differ between them by one standard deviation; with few decimals there are ties."""
    generator = np.random.default_rng(seed)
    positive = generator.random(count) < 0.35
    return (generator.normal(size=count) + positive).round(decimals), positive


def _weighted(figure: Callable[..., float], score: Floats, positive: NDArray[np.bool_], place: int) -> float:
    """Return the change of a figure by a small additional weight of one molecule, as its contribution to a mean."""
    step, weights = 1e-6, np.ones(len(score))
    weights[place] += step
    return (figure(positive, score, sample_weight=weights) - figure(positive, score)) / step * len(score)


@pytest.mark.parametrize("decimals", [9, 0])
@pytest.mark.parametrize(
    ("influences", "figure"),
    [(auroc_influences, metrics.roc_auc_score), (precision_influences, metrics.average_precision_score)],
)
def test_influences_are_derivatives_with_respect_to_weights(
    influences: Callable[..., Floats], figure: Callable[..., float], decimals: int
) -> None:
    score, positive = _draw(3, decimals=decimals)
    found = influences(score, positive)
    assert found.sum() == pytest.approx(0, abs=1e-9)
    for place in range(0, len(score), 7):
        assert found[place] == pytest.approx(_weighted(figure, score, positive, place), abs=1e-3)


def test_the_variance_of_the_auroc_is_that_of_delong() -> None:
    score, positive = _draw(5, decimals=1)
    wins = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
    delong = wins.mean(1).var() / positive.sum() + wins.mean(0).var() / (~positive).sum()
    assert auroc_influences(score, positive).var() / len(score) == pytest.approx(delong)


@pytest.mark.parametrize(
    ("influences", "figure", "truth"),
    [
        (auroc_influences, auroc, special.ndtr(1 / np.sqrt(2))),
        (precision_influences, average_precision, 0.633),  # of 4 million molecules
    ],
)
def test_intervals_of_95_percent_hold_the_truth_that_often(
    influences: Callable[..., Floats], figure: Callable[..., float], truth: float
) -> None:
    held = 0
    for seed in range(300):
        score, positive = _draw(seed, count=400)
        values = np.array([figure(score, positive)])
        low, high = rank_interval(values, special.expit(score)[None], positive, influences) or (0.0, 0.0)
        held += low <= truth <= high
    assert 0.91 <= held / 300 <= 0.98  # three standard deviations to each side


def test_a_perfect_ranking_and_one_that_no_seed_changes() -> None:
    score, positive = _draw(1)
    probability = special.expit(np.stack([score, score]))
    assert rank_interval(np.ones(2), probability, positive, auroc_influences) is None
    one = rank_interval(np.full(1, 0.7), probability[:1], positive, auroc_influences)
    assert rank_interval(np.full(2, 0.7), probability, positive, auroc_influences) == one


def test_the_mean_over_seeds_is_that_of_probabilities_also_where_they_vanish() -> None:
    losses = np.array([[0.1, 2.0, 900.0], [0.4, 0.2, 901.0], [0.3, 3.0, 950.0]])
    found, low, high = measure_mean(losses[:, :2])
    assert found == pytest.approx(-np.log(np.exp(-losses[:, :2]).mean(0)).mean())
    assert low is not None
    assert high is not None
    assert low < found < high
    assert found <= losses[:, :2].mean()  # Jensen's inequality
    assert measure_mean(losses)[0] == pytest.approx((found * 2 + 900 + np.log(3) - np.log1p(np.exp(-1))) / 3)
