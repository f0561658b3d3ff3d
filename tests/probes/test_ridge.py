"""Regression with a kernel, against what is known in closed form."""

import math

import numpy as np
import pytest

from ibbench.probes.subject.ridge import (
    cross_validation,
    decompose,
    effective_parameters,
    fit,
    leave_one_out,
    log_evidence,
    with_constant,
)

RIDGE = 0.1


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray]:
    """A kernel of 30 points, and labels."""
    random = np.random.RandomState(0)
    features = random.normal(size=(30, 50)) / np.arange(1, 51)
    return features @ features.T, random.normal(size=30)


def test_residuals_are_those_of_regressions_without_the_molecule(problem: tuple[np.ndarray, np.ndarray]) -> None:
    kernel, labels = problem
    found = leave_one_out(decompose(kernel), labels, RIDGE)
    for left in range(30):
        others = np.delete(np.arange(30), left)
        weights = np.linalg.solve(kernel[np.ix_(others, others)] + RIDGE * np.eye(29), labels[others])
        assert found[left] == pytest.approx(labels[left] - kernel[left, others] @ weights)


def test_the_evidence_is_the_product_of_forecasts_one_label_after_another(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    """The chain rule: log p(y) is the sum of log p(y_i | y_1 ... y_(i-1)), each a Gaussian in closed form."""
    kernel, labels = problem
    evidence, scale = log_evidence(decompose(kernel), labels, RIDGE)
    covariance = scale * (kernel + RIDGE * np.eye(30))
    total = 0.0
    for place in range(30):
        weights = np.linalg.solve(covariance[:place, :place], covariance[:place, place])
        variance = covariance[place, place] - covariance[place, :place] @ weights
        error = labels[place] - weights @ labels[:place]
        total += -0.5 * (math.log(2 * math.pi * variance) + error**2 / variance)
    assert evidence == pytest.approx(total)


def test_no_other_scale_makes_the_labels_more_likely(problem: tuple[np.ndarray, np.ndarray]) -> None:
    kernel, labels = problem
    evidence, scale = log_evidence(decompose(kernel), labels, RIDGE)
    for factor in (0.9, 1.1):
        covariance = factor * scale * (kernel + RIDGE * np.eye(30))
        sign, logarithm = np.linalg.slogdet(2 * math.pi * covariance)
        assert sign == 1
        assert evidence > -0.5 * (logarithm + labels @ np.linalg.solve(covariance, labels))


def test_the_error_of_the_least_norm_solution_is_one_less_labels_over_dimensions() -> None:
    """Isotropic features, n labels, d dimensions: the risk of the smallest weights that fit is 1 - n / d."""
    random, dimensions, count = np.random.RandomState(1), 60, 31
    errors = []
    for _ in range(300):
        direction = random.normal(size=dimensions)
        features = random.normal(size=(count, dimensions))
        labels = features @ direction / np.linalg.norm(direction)
        errors.append(np.square(leave_one_out(decompose(features @ features.T), labels, 1e-9)).mean())
    assert np.mean(errors) == pytest.approx(1 - (count - 1) / dimensions, rel=0.03)


def test_generalised_cross_validation_is_near_the_error_of_new_points() -> None:
    random, count = np.random.RandomState(2), 50
    scales = np.arange(1, 201) ** -0.75
    estimates, errors = [], []
    for _ in range(100):
        features = random.normal(size=(count, 200)) * scales
        target = random.normal(size=200)
        labels = features @ target
        kernel = features @ features.T
        estimates.append(cross_validation(decompose(kernel), labels, RIDGE))
        weights = features.T @ np.linalg.solve(kernel + RIDGE * np.eye(count), labels)
        errors.append(np.square((weights - target) * scales).sum())
    assert np.mean(estimates) == pytest.approx(np.mean(errors), rel=0.05)


def test_effective_parameters_go_from_all_labels_to_none(problem: tuple[np.ndarray, np.ndarray]) -> None:
    spectrum = decompose(problem[0])
    assert effective_parameters(spectrum, 1e-12) == pytest.approx(30)
    assert effective_parameters(spectrum, 1e12) == pytest.approx(0, abs=1e-9)


def test_labels_that_a_kernel_drew_are_likely_and_shuffled_ones_are_not() -> None:
    random = np.random.RandomState(3)
    place = np.sort(random.uniform(size=200))
    kernel = np.exp(-0.5 * ((place[:, None] - place) / 0.1) ** 2)
    labels = np.linalg.cholesky(kernel + 1e-8 * np.eye(200)) @ random.normal(size=200)
    labels = (labels - labels.mean()) / labels.std()
    spectrum = decompose(with_constant(kernel))
    told, shuffled = fit(spectrum, labels), fit(spectrum, random.permutation(labels))
    nothing_known = 0.5 * math.log2(2 * math.pi * math.e)
    assert told.bits < -4
    assert shuffled.bits == pytest.approx(nothing_known, abs=0.03)
    assert np.square(told.residuals).mean() < 1e-3 < 0.9 < np.square(shuffled.residuals).mean()
