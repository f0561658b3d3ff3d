"""Which modes are learned first, where that is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from ibbench.options.config import Config
from ibbench.probes.frequency import HALF, LEFT, POWER, REPLAY, Frequency
from ibbench.probes.subject.modes import bands, fingerprint_similarity, graph_modes, kernel_modes, power
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


def test_gradient_descent_on_a_linear_model_leaves_of_each_mode_what_its_eigenvalue_says() -> None:
    draws = np.random.default_rng(0)
    inputs, labels = draws.normal(size=(30, 40)), draws.normal(size=30)
    eta, steps = 1e-3, 50
    weights = np.zeros(40)
    for _ in range(steps):
        weights += eta * inputs.T @ (labels - inputs @ weights)
    modes, eigenvalues = kernel_modes(inputs @ inputs.T), np.linalg.eigvalsh(inputs @ inputs.T)[::-1]
    for place in range(30):
        one = slice(place, place + 1)
        left = power(modes, labels - inputs @ weights, one) / power(modes, labels, one)
        assert left == pytest.approx((1 - eta * eigenvalues[place]) ** (2 * steps), rel=1e-6)


def test_a_network_learns_a_slow_sine_before_a_fast_one() -> None:
    x = torch.arange(128) / 128
    circle = torch.stack([torch.cos(2 * torch.pi * x), torch.sin(2 * torch.pi * x)], dim=1)
    slow, fast = torch.sin(2 * torch.pi * x), torch.sin(2 * torch.pi * 8 * x)
    apart = torch.cdist(circle, circle).double().numpy()
    modes = graph_modes(np.exp(-np.square(apart / 0.1)))
    assert power(modes, slow.numpy(), slice(0, 3)) == pytest.approx(64, rel=1e-3)  # a constant and one wave, twice
    assert power(modes, fast.numpy(), slice(0, 3)) == pytest.approx(0, abs=1e-3)
    network = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    lefts = []
    for _ in range(300):
        residuals = slow + fast - network(circle)[:, 0]
        r = residuals.detach().double().numpy()
        lefts.append((power(modes, r, slice(0, 3)) / 64, power(modes, r, slice(3, 128)) / 64))
        optimizer.zero_grad()
        residuals.square().mean().backward()
        optimizer.step()
    first = [next((step for step, left in enumerate(lefts) if left[kind] < 0.5), 300) for kind in (0, 1)]
    assert first[0] < 100
    assert first[0] < first[1] / 2


def test_bands_cover_all_modes_once() -> None:
    places = np.zeros(100)
    for band in bands(100).values():
        places[band] += 1
    assert (places == 1).all()
    assert list(bands(100)) == ["1", "2 to 5", "6 to 21", "22 to 85", "86 to 100"]


def test_alike_molecules_are_neighbours() -> None:
    similarity = fingerprint_similarity(["CCO", "OCC", "CCCO", "c1ccccc1"])
    assert similarity[0, 1] == 1
    assert similarity[0, 2] > similarity[0, 3]
    modes = graph_modes(similarity)
    assert np.allclose(modes.T @ modes, np.eye(4))


def test_a_training_is_done_again_and_its_modes_followed(config: Callable[..., Config]) -> None:
    point = plan(config("experiment=tiny", "model=deep_sets", "trainer.epochs=3"))
    subject = Subject(point, 0, ["gap"], "along", 60)
    found = {(one.quantity, one.part): one.value for one in Frequency().measure(subject)}
    shares = [value for (quantity, _), value in found.items() if quantity == POWER]
    assert sum(shares) == pytest.approx(200, abs=1)  # all power, once in each kind of modes
    halves = [value for (quantity, _), value in found.items() if quantity == HALF]
    assert all(0 <= half <= 100 for half in halves)
    assert found[REPLAY, ""] > 0
    assert any(value < 1 for (quantity, _), value in found.items() if quantity == LEFT)
