"""Dimensions of clouds of points of which they are known, and of real models."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ibbench.options.config import Config
from ibbench.probes.dimension import INPUTS, RATIO, TWO_NN, Dimension, participation_ratio, two_nn
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_cubes_and_gaussians_are_of_the_dimension_that_they_have(dimension: int) -> None:
    for points in (torch.rand(2000, dimension), torch.randn(2000, dimension)):
        embedded = (
            torch.cat([points, torch.zeros(2000, 3)], dim=1).double()
            @ torch.linalg.qr(torch.randn(dimension + 3, dimension + 3, dtype=torch.float64))[0]
        )
        assert two_nn(embedded) == pytest.approx(dimension, rel=0.1)
        assert two_nn(1000 * embedded) == pytest.approx(two_nn(embedded))
        assert participation_ratio(embedded) == pytest.approx(dimension, rel=0.1)


def test_a_bent_line_has_one_dimension_and_variance_in_two() -> None:
    angle = 2 * torch.pi * torch.rand(2000, 1, dtype=torch.float64)
    circle = torch.cat([angle.cos(), angle.sin()], dim=1)
    assert two_nn(circle) == pytest.approx(1, rel=0.1)
    assert participation_ratio(circle) == pytest.approx(2, rel=0.01)


def test_points_that_coincide_count_once() -> None:
    points = torch.rand(1000, 3)
    assert two_nn(torch.cat([points, points[:500]])) == pytest.approx(two_nn(points))
    rounded = points[:500] + 1e-6 * torch.rand(500, 3)  # as float32 leaves equal sums of states
    assert two_nn(torch.cat([points, rounded])) == pytest.approx(two_nn(points))
    assert np.isnan(two_nn(torch.ones(100, 3)))
    assert participation_ratio(torch.ones(100, 3)) == 0
    assert participation_ratio(torch.eye(4).repeat(5, 50)) == pytest.approx(3)  # four corners span three directions


@pytest.mark.parametrize("name", ["mlp", "gnn", "cnn"])
def test_every_layer_of_a_model_has_a_dimension(name: str, config: Callable[..., Config]) -> None:
    subject = Subject(plan(config("experiment=tiny", f"model={name}")), 0, ["gap"], "init", 100)
    found = {(finding.quantity, finding.part): finding.value for finding in Dimension().measure(subject)}
    for part in (INPUTS, "embedding", "layer 4"):
        assert 1 < found[TWO_NN, part] < 50
        assert 1 <= found[RATIO, part] < 100
