from collections.abc import Callable

import pytest
import torch

from ibbench.options.config import Config
from ibbench.training.optim import StackedOptimizer, clip_gradients, learning_rate_factor

PEERS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sam": torch.optim.AdamW,  # what it does to gradients is tested in test_sam.py
    "sgd": torch.optim.SGD,
    "sgd_momentum": torch.optim.SGD,
}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("rates", [(1.0, 1.0, 1.0), (0.1, 1.0, 3.0)], ids=["alike", "each its own"])
def test_stacked_parameters_step_like_separate_ones(
    name: str, rates: tuple[float, ...], config: Callable[..., Config]
) -> None:
    options = config(f"optimizer={name}", "optimizer.weight_decay=0.1").optimizer
    start = torch.randn(3, 4, 5)
    stacked = start.clone().requires_grad_()
    decays = [0.1 * rate for rate in rates]
    ours = StackedOptimizer(options, [stacked], [options.lr * rate for rate in rates], decays)
    settings = {"momentum": 0.9} if name == "sgd_momentum" else {}
    separate = [tensor.clone().requires_grad_() for tensor in start]
    peers = [
        PEERS[name]([tensor], lr=options.lr * rate / 2, weight_decay=decay, **settings)
        for tensor, rate, decay in zip(separate, rates, decays, strict=True)
    ]
    for step in range(5):
        gradient = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(step))
        stacked.grad = gradient.clone()
        ours.step(0.5)
        for row, (tensor, peer) in enumerate(zip(separate, peers, strict=True)):
            tensor.grad = gradient[row].clone()
            peer.step()
            assert torch.allclose(stacked[row], tensor, atol=1e-6)


def test_adam_without_a_mean_of_gradients_is_rmsprop_with_bias_correction(config: Callable[..., Config]) -> None:
    options = config("optimizer=adam", "optimizer.beta1=0").optimizer
    weights = torch.randn(2, 5, requires_grad=True)
    ours = StackedOptimizer(options, [weights], [0.1, 0.1], [0.0, 0.0])
    expected, square = weights.detach().clone(), torch.zeros(2, 5)
    for step in range(1, 5):
        gradient = torch.randn(2, 5, generator=torch.Generator().manual_seed(step))
        weights.grad = gradient.clone()
        ours.step(1.0)
        square = options.beta2 * square + (1 - options.beta2) * gradient.square()
        expected = expected - 0.1 * gradient / ((square / (1 - options.beta2**step)).sqrt() + 1e-8)
        assert torch.allclose(weights, expected, atol=1e-5)


def test_clipping_is_that_of_torch_for_each_replica() -> None:
    shapes = [(3, 4, 5), (3, 7)]
    stacked = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    scale = torch.tensor([0.01, 1.0, 100.0])
    for tensor in stacked:
        tensor.grad = torch.randn(tensor.shape) * scale.view(-1, *[1] * (tensor.dim() - 1))
    separate = [[torch.zeros(shape[1:], requires_grad=True) for shape in shapes] for _ in range(3)]
    for row in range(3):
        for tensor, source in zip(separate[row], stacked, strict=True):
            tensor.grad = source.grad[row].clone()
        torch.nn.utils.clip_grad_norm_(separate[row], 2.0)
    clip_gradients(stacked, 2.0)
    for row in range(3):
        for tensor, source in zip(separate[row], stacked, strict=True):
            assert torch.allclose(source.grad[row], tensor.grad, rtol=1e-4)


def test_schedules_have_their_known_values(config: Callable[..., Config]) -> None:
    def factors(*overrides: str) -> list[float]:
        options = config(*overrides).schedule
        return [learning_rate_factor(options, fraction) for fraction in (0.0, 0.05, 0.25, 0.5, 1.0)]

    assert factors("schedule=constant") == [1.0] * 5
    assert factors("schedule=step", "schedule.every=0.25", "schedule.factor=0.5") == [1, 1, 0.5, 0.25, 0.0625]
    assert factors("schedule=cosine") == pytest.approx([1, 0.99384, 0.85355, 0.5, 0], abs=1e-5)
    assert factors("schedule=cosine", "schedule.final=0.5")[-1] == 0.5
    warm = factors("schedule=warmup_cosine", "schedule.warmup=0.1")
    assert warm[:2] == pytest.approx([0, 0.5])
    assert warm[2] == pytest.approx(0.5 + 0.5 * 0.8660254)
    assert warm[4] == pytest.approx(0, abs=1e-9)


def test_cosine_is_that_of_torch(config: Callable[..., Config]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    options = config("schedule=cosine").schedule
    for step in range(20):
        assert learning_rate_factor(options, step / 20) == pytest.approx(peer.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        peer.step()
