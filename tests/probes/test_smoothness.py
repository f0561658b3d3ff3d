"""Smoothness of functions that are known, and of real models."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev

from ibbench.options.config import Config
from ibbench.probes.smoothness import (
    BETWEEN,
    DEGREE,
    GEOMETRIC,
    NODES,
    RELATIVE,
    Smoothness,
    along_lines,
    geometric_complexity,
    mean_degree,
    share_between,
)  # fmt: skip
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


def test_a_linear_function_is_as_complex_as_its_weights_and_of_degree_one() -> None:
    weights, inputs = torch.randn(6, 4), torch.randn(10, 6, 4)
    run = lambda features: (features * weights).sum((1, 2)) + 5  # noqa: E731
    assert geometric_complexity(run, inputs) == pytest.approx(float(weights.square().sum()), rel=1e-5)
    outputs = along_lines(run, inputs, torch.randn(10, 6, 4))
    assert mean_degree(outputs) == pytest.approx(1, abs=1e-5)


def test_polynomials_have_their_degree() -> None:
    nodes = chebyshev.chebpts1(NODES)
    assert mean_degree(chebyshev.chebval(nodes, [4, 0, 0, 2])[:, None]) == pytest.approx(3)
    mixed = chebyshev.chebval(nodes, [0, 1, 0, 0, 0, 1])[:, None]
    assert mean_degree(mixed) == pytest.approx((1 + 5) / 2)
    faster = [mean_degree(np.sin(frequency * nodes)[:, None]) for frequency in (1, 4, 12)]
    assert faster == sorted(faster)
    assert np.isnan(mean_degree(np.ones((NODES, 2))))


def test_initial_guesses_are_of_the_draw_or_of_the_molecule() -> None:
    draws, molecules = np.arange(5.0)[:, None], np.linspace(-1, 1, 7)[None]
    assert share_between(draws + 0 * molecules) == pytest.approx(1)
    assert share_between(0 * draws + molecules) == pytest.approx(0, abs=1e-12)
    assert share_between(draws + molecules) == pytest.approx(2 / (2 + molecules.var()))


def test_a_model_without_activations_is_linear(config: Callable[..., Config]) -> None:
    options = ("experiment=tiny", "model=deep_sets", "model.normalisation=none")
    linear, bent = (
        {finding.quantity: finding.value for finding in Smoothness().measure(
            Subject(plan(config(*options, f"model.activation={name}")), 0, ["gap"], "init", 30))}
        for name in ("identity", "relu")
    )  # fmt: skip
    assert linear[DEGREE] == pytest.approx(1, abs=1e-3)
    assert bent[DEGREE] > 1.05
    assert linear[GEOMETRIC] > 0
    assert 0 < linear[BETWEEN] < 1
    assert bent[RELATIVE] > 0


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_every_kind_of_model_is_measured(name: str, config: Callable[..., Config]) -> None:
    subject = Subject(plan(config("experiment=tiny", f"model={name}")), 0, ["gap"], "init", 20)
    assert {finding.quantity for finding in Smoothness().measure(subject)} == {GEOMETRIC, RELATIVE, DEGREE, BETWEEN}
