"""Figures of classes: those of scikit-learn, exact where a probability is rounded, and what they are by definition."""

import math

import numpy as np
import pytest
import torch
from sklearn import linear_model, metrics

from ibbench.baselines.composition import predict_logits
from ibbench.training.class_metrics import calibration_error, log_losses, measure_class
from ibbench.training.metrics import mean_error


def _draw(decimals: int, count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw logits, rounded so that there are ties, and classes that they foretell."""
    generator = np.random.default_rng(decimals)
    logit = generator.normal(size=count).round(decimals) * 2 - 1
    truth = generator.random(count) < 1 / (1 + np.exp(-logit))
    return torch.from_numpy(logit), torch.from_numpy(truth.astype(float))


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_figures_are_those_of_scikit_learn(decimals: int) -> None:
    logit, truth = _draw(decimals)
    found, probability = measure_class(logit, truth), logit.sigmoid().numpy()
    assert found.log_loss == pytest.approx(metrics.log_loss(truth, probability))
    assert found.brier == pytest.approx(metrics.brier_score_loss(truth, probability))
    assert found.auroc == pytest.approx(metrics.roc_auc_score(truth, probability))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(truth, probability))


def test_log_losses_are_exact_where_probabilities_are_rounded_to_0_or_1() -> None:
    logit = torch.tensor([800.0, -800.0, 40.0], dtype=torch.float64)
    assert log_losses(logit, torch.zeros(3, dtype=torch.float64)).tolist() == [800.0, 0.0, 40.0]
    right = log_losses(logit, torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))
    assert right.tolist() == [0.0, 0.0, pytest.approx(math.exp(-40))]


def test_the_mean_error_of_a_row_is_that_of_its_kind() -> None:
    logit, truth = _draw(9)
    found = mean_error(torch.stack([logit, logit]), torch.stack([truth, truth]), torch.tensor([False, True]))
    assert found.tolist() == pytest.approx([(logit - truth).abs().mean().item(), measure_class(logit, truth).log_loss])


def test_one_class_has_no_ranking() -> None:
    logit, _ = _draw(9)
    found = measure_class(logit, torch.ones_like(logit))
    assert (found.auroc, found.average_precision) == (None, None)
    assert found.log_loss > 0


def test_probabilities_that_are_right_have_the_calibration_error_of_chance_and_others_a_larger_one() -> None:
    generator = np.random.default_rng(0)
    right, chance, wrong = [], [], []
    for _ in range(200):
        probability = generator.random(500)
        positive = generator.random(500) < probability
        for found, stated in ((right, probability), (wrong, probability**2)):
            found.append(calibration_error(stated, positive)[0])
        chance.append(calibration_error(probability, positive)[1])
    assert np.mean(right) == pytest.approx(np.mean(chance), rel=0.03)
    assert np.mean(wrong) > 0.16  # the mean of p - p^2 is 1/6
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == (0.0, 0.0)


@pytest.mark.parametrize("shift", [0.0, 2.5, -9.0])
def test_the_logistic_regression_is_that_of_scikit_learn_also_of_classes_that_can_be_separated(shift: float) -> None:
    generator = np.random.default_rng(1)
    features = generator.poisson(3, (200, 4)).astype(float)
    features[:, 3] = 2  # constant: of no use, and of no harm
    noise = 0.0 if shift == 2.5 else generator.normal(size=200)
    labels = (features[:, 0] - features[:, 1] + noise > shift / 3).astype(float)
    scaled = (features - features.mean(0)) / np.where(features.std(0) > 0, features.std(0), 1)
    theirs = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(scaled, labels)
    x = torch.from_numpy(features)
    ours = predict_logits(x, torch.from_numpy(labels), x)
    assert ours.numpy() == pytest.approx(theirs.decision_function(scaled), abs=1e-4)
