"""Curvature of losses that are known, and of real models."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ibbench.options.config import Config
from ibbench.probes.curvature import (
    BINS,
    LIMIT,
    PRECONDITIONED,
    SHARE,
    SHARPNESS,
    TRACE,
    Curvature,
    hessian_of_loss,
    largest_eigenvalue,
    shares_of_eigenvalues,
    trace,
)  # fmt: skip
from ibbench.probes.subject.lanczos import spectral_measure
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


def test_linear_regression_has_the_curvature_of_its_inputs() -> None:
    inputs = torch.randn(50, 20, dtype=torch.float64)
    hessian = (2 * inputs.T @ inputs / 50).float()
    multiply = lambda vector: hessian @ vector  # noqa: E731
    assert largest_eigenvalue(multiply, 20, 0) == pytest.approx(float(np.linalg.eigvalsh(hessian)[-1]), rel=1e-3)
    assert trace(multiply, 20, 0, draws=4000) == pytest.approx(float(hessian.trace()), rel=0.02)
    diagonal = torch.arange(20.0)
    assert trace(lambda vector: diagonal * vector, 20, 0, draws=1) == pytest.approx(190)  # signs square to one
    assert largest_eigenvalue(lambda vector: -diagonal * vector, 20, 0) == pytest.approx(0, abs=1e-4)


def test_linear_regression_has_the_spectrum_of_its_inputs() -> None:
    inputs = torch.randn(50, 20)
    hessian = 2 * inputs.T @ inputs / 50
    multiply = lambda vector: hessian @ vector  # noqa: E731
    exact = np.linalg.eigvalsh(hessian.double())
    nodes, weights = spectral_measure(multiply, 20, 0, draws=300)
    assert weights.sum() == pytest.approx(1)
    assert np.abs(nodes[:, None] - exact).min(1).max() < 1e-4  # with as many steps as rows, all eigenvalues are found
    for power in (1, 2, 3):
        assert weights @ nodes**power == pytest.approx((exact**power).mean(), rel=0.05)
    for bound in np.quantile(exact, (0.25, 0.5, 0.75)):
        assert weights[nodes < bound].sum() == pytest.approx((exact < bound).mean(), abs=0.03)
    few, shares = spectral_measure(multiply, 20, 0, steps=5, draws=300)
    assert shares @ few**9 == pytest.approx(weights @ nodes**9, rel=1e-3)  # degree 2 x 5 - 1, the same draws


def test_shares_of_eigenvalues_are_those_of_a_known_spectrum() -> None:
    diagonal = torch.zeros(1000)
    diagonal[0], diagonal[1:101], diagonal[101:151], diagonal[151:181] = 50.0, 10.0, -10.0, 1.0
    shares = shares_of_eigenvalues(lambda vector: diagonal * vector, 1000, 0, 50.0)
    assert list(shares) == [name for *_, name in BINS]
    assert list(shares.values()) == pytest.approx([0.05, 0, 0.819, 0.03, 0.101], abs=1e-6)  # signs square to one
    assert shares_of_eigenvalues(lambda vector: -vector, 10, 0, -1.0) == {}


def test_steps_below_the_limit_are_stable_and_above_it_are_not() -> None:
    """Adam with a fixed scale is gradient descent with momentum, whose limit is (2 + 2 beta) / ((1 - beta) rate)."""
    beta, rate = 0.9, 0.1
    limit = (2 + 2 * beta) / ((1 - beta) * rate)
    assert limit == pytest.approx(38 / rate)
    for share, stable in ((0.98, True), (1.02, False)):
        x, momentum = 1.0, 0.0
        for _ in range(3000):
            momentum = beta * momentum + (1 - beta) * share * limit * x
            x -= rate * momentum
        assert (abs(x) < 1) is stable


def test_products_are_those_of_the_second_derivatives_of_a_real_loss(config: Callable[..., Config]) -> None:
    subject = Subject(plan(config("experiment=tiny", "model=deep_sets", "loss=mse")), 0, ["gap"], "init", 20)
    index, labels = subject.train_index, torch.from_numpy(subject.labels[0]).float()
    multiply, size = hessian_of_loss(subject, index, labels, "mse")
    one, other = torch.randn(size), torch.randn(size)
    assert float(one @ multiply(other)) == pytest.approx(float(other @ multiply(one)), rel=1e-3)
    model, molecules = subject.module().double(), subject.inputs(index)
    molecules = molecules._replace(atoms=molecules.atoms.double())
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def loss(shift: float) -> float:
        torch.nn.utils.vector_to_parameters(start + shift * one, model.parameters())
        return float((model(molecules) - labels).square().mean().detach())

    bent = (loss(1e-4) - 2 * loss(0.0) + loss(-1e-4)) / 1e-8
    assert float(one @ multiply(one)) == pytest.approx(bent, rel=1e-2)
    findings = list(Curvature().measure(subject))
    found = {finding.quantity: finding.value for finding in findings}
    assert sum(finding.value for finding in findings if finding.quantity == SHARE) == pytest.approx(100)
    assert found[SHARPNESS] > 0
    assert found[TRACE] > found[SHARPNESS] / 2
    assert found[PRECONDITIONED] > 0
    assert found[LIMIT] == pytest.approx(found[PRECONDITIONED] * subject.point.config.optimizer.lr / 38)
