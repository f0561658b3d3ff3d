"""Sizes, ranks and gradients where theory gives them."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from ibbench.options.config import Config
from ibbench.probes.signal import (
    DEAD,
    EMBEDDING,
    GRADIENT,
    LINEAR,
    RANK,
    SIZE,
    SPREAD,
    Signal,
    dead_units,
    effective_rank,
    gradients_by_layer,
    linear_r2,
    spread_between,
)
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan

PLAIN = ("model.residual=false", "model.normalisation=none", "budget=null", "model.width=256", "model.hidden=256")


def _subject(config: Callable[..., Config], *options: str, seed: int = 0) -> Subject:
    options = ("experiment=tiny", f"seeds=[{seed}]", *options)
    return Subject(plan(config(*options)), seed, ["gap"], "init", 60)


def _figures(subject: Subject) -> dict[tuple[str, str], float]:
    return {(finding.quantity, finding.part): finding.value for finding in Signal().measure(subject)}


def _growth(config: Callable[..., Config], *options: str) -> float:
    """Return the mean factor, over layers and seeds, by which the squared size of states grows per layer."""
    factors = []
    for seed in range(3):
        found = _figures(_subject(config, "model=deep_sets", *PLAIN, *options, seed=seed))
        sizes = [found[SIZE, part] for part in (EMBEDDING, *(f"layer {layer}" for layer in range(1, 5)))]
        factors += [2 * math.log(after / before) for before, after in itertools.pairwise(sizes)]
    return math.exp(float(np.mean(factors)))


@pytest.mark.slow
def test_he_keeps_the_second_moment_through_relu_and_xavier_through_linear_maps(config: Callable[..., Config]) -> None:
    """A block is linear, activation, linear: He's factor 2 of the second map has no ReLU behind it to halve it."""
    assert _growth(config, "model.activation=relu", "model.initialisation=he") == pytest.approx(2, rel=0.1)
    assert _growth(config, "model.activation=identity", "model.initialisation=xavier") == pytest.approx(1, rel=0.1)


def test_gradients_fall_by_a_quarter_per_sigmoid(config: Callable[..., Config]) -> None:
    options = (*PLAIN, "model.activation=sigmoid", "model.depth=5")
    subject = _subject(config, "model=deep_sets", *options)
    parameters = subject._network.parameters
    for name, tensor in parameters.items():
        if name.startswith("layers."):  # each layer becomes sigmoid(h) - 1/2, at h = 0 where its slope is 1/4
            tensor[0] = torch.eye(256) if name.endswith("weight") else (-0.5 if "outer" in name else 0.0)
        elif name.startswith("embed."):
            tensor.zero_()
    sizes = [float(grads.square().mean().sqrt()) for grads in gradients_by_layer(subject.named_gradients()).values()]
    of_layers = sizes[1:6]
    assert [after / before for before, after in itertools.pairwise(of_layers)] == pytest.approx([4.0] * 4)


def test_two_tokens_that_attend_to_each_other_contract_as_the_second_eigenvalue_says() -> None:
    a, b, depth = 0.3, 0.1, 6
    attention = torch.tensor([[1 - a, a], [b, 1 - b]], dtype=torch.float64)
    states, mask = torch.randn(5, 2, 8, dtype=torch.float64), torch.ones(5, 2, dtype=torch.bool)
    after = torch.linalg.matrix_power(attention, depth) @ states
    differences = [(one[:, 0] - one[:, 1]).square().mean().sqrt() for one in (states, after)]
    assert differences[1] / differences[0] == pytest.approx((1 - a - b) ** depth)
    expected = float(differences[1] / 2 / after.square().mean().sqrt())  # of two, each is half of it from the mean
    assert spread_between(after, mask) == pytest.approx(expected)
    padded = functional.pad(after, (0, 0, 0, 3), value=7.0)
    assert spread_between(padded, functional.pad(mask, (0, 3))) == pytest.approx(expected)


def test_effective_rank_counts_equal_directions() -> None:
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    assert effective_rank(torch.outer(torch.arange(1.0, 6), torch.ones(4))) == pytest.approx(1)


def test_a_linear_readout_finds_what_is_linear_and_nothing_in_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 5, generator=generator)
    linear = (features @ torch.arange(1.0, 6)).double().numpy()
    noise = torch.randn(300, generator=generator).double().numpy()
    assert linear_r2(features, linear) > 0.999
    assert linear_r2(features, noise) < 0.05
    assert linear_r2(torch.ones(300, 5), linear) == 0


def test_units_that_never_fire_are_dead(config: Callable[..., Config]) -> None:
    subject = _subject(config, "model=gnn", "model.activation=relu")
    model = subject.module()
    assert max(dead_units(model, subject).values()) < 0.5
    inner = model.layers[1].function.phi.inner
    with torch.no_grad():
        inner.bias[:5] = -1e6
    before, after = (dead_units(one, subject)["layer 2"] for one in (subject.module(), model))
    units = inner.out_features + model.layers[1].function.message.in_features  # those of the messages, too
    assert before < after <= before + 5 / units + 1e-9


@pytest.mark.parametrize("name", ["mlp", "graph_transformer", "cnn", "painn", "ladder/graph_transformer_token"])
def test_every_kind_of_model_is_measured(name: str, config: Callable[..., Config]) -> None:
    found = _figures(_subject(config, f"model={name}"))
    parts = [EMBEDDING, *(f"layer {layer}" for layer in range(1, 5))]
    for part in parts:
        assert found[SIZE, part] > 0
        assert 1 <= found[RANK, part] <= 200
        assert found[LINEAR, part] < 1
        assert found[GRADIENT, part] > 0
        assert (SPREAD, part) in found or name == "mlp"
    assert found[GRADIENT, "readout"] > 0
    assert found[DEAD, "layer 1"] == 0
