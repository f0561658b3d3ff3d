"""Models of the SMILES: a window that slides, and a memory that reads from left to right."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ibbench.data.molecules import Molecules
from ibbench.data.tokens import NUM_TOKENS, TOKENS
from ibbench.models.layers.one_hot import one_hot_tokens
from ibbench.models.registry import Model

Build = Callable[..., Model]


def _reversed(tokens: Tensor) -> Tensor:
    """Turn each string around; padding stays behind it."""
    lengths = (tokens != 0).sum(1, keepdim=True)
    places = torch.arange(tokens.shape[1])
    return tokens.gather(1, torch.where(places < lengths, lengths - 1 - places, places))


def _influence(model: Model, molecules: Molecules) -> Tensor:
    """Return whether the state of each token (rows) depends on each token (columns), `[B, L, L]`."""
    embedded: list[Tensor] = []
    model.embed.register_forward_hook(lambda _, __, output: embedded.append(output))
    states = model.states(molecules)
    rows = [
        torch.autograd.grad(states[:, place].sum(), embedded, retain_graph=True)[0] for place in range(states.shape[1])
    ]
    return torch.stack(rows, dim=1).abs().sum(-1) > 0


def test_tokens_are_one_hot_and_padding_is_all_zero(molecules: Molecules) -> None:
    encoded = one_hot_tokens(molecules.tokens, torch.float64)
    assert encoded.shape[-1] == NUM_TOKENS == len(TOKENS)
    assert torch.equal(encoded.sum(-1), (molecules.tokens != 0).double())
    assert encoded[0, 0, TOKENS.index("C")] == 1  # methane


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
def test_a_layer_of_the_cnn_is_conv1d_of_torch(kernel_size: int, build: Build, molecules: Molecules) -> None:
    layer = build("cnn", f"model.kernel_size={kernel_size}").layers[0].function
    mask = molecules.tokens != 0
    h = torch.randn(*mask.shape, 16, dtype=torch.float64) * mask[..., None]
    kernels = list(layer.neighbours.weight.split(16, dim=1))
    kernels.insert(kernel_size // 2, layer.phi.inner.weight)
    convolved = functional.conv1d(
        h.transpose(1, 2), torch.stack(kernels, dim=-1), layer.phi.inner.bias, padding=kernel_size // 2
    )
    expected = layer.phi.outer(convolved.transpose(1, 2))
    assert (layer(h, mask) - expected)[mask].abs().max() < 1e-10


@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_a_string_read_backwards_is_another(name: str, build: Build, molecules: Molecules) -> None:
    model = build(name)
    backwards = _reversed(molecules.tokens)
    change = (model(molecules) - model(molecules._replace(tokens=backwards))).abs()
    palindromes = (backwards == molecules.tokens).all(1)
    assert palindromes.any()
    assert change[palindromes].max() == 0
    assert (change[~palindromes] > 1e-6).all()


@pytest.mark.parametrize(("depth", "kernel_size"), [(1, 3), (1, 5), (3, 3), (2, 1)])
def test_the_cnn_sees_as_far_as_its_windows_reach(
    depth: int, kernel_size: int, build: Build, molecules: Molecules
) -> None:
    model = build("cnn", f"model.depth={depth}", f"model.kernel_size={kernel_size}")
    influence = _influence(model, molecules)
    mask = molecules.tokens != 0
    places = torch.arange(mask.shape[1])
    near = (places[:, None] - places).abs() <= depth * (kernel_size // 2)
    real = mask[:, :, None] & mask[:, None]
    assert torch.equal(influence[real], near.expand(real.shape)[real])


def test_the_rnn_remembers_all_before_a_token_and_knows_nothing_of_what_follows(
    build: Build, molecules: Molecules
) -> None:
    influence = _influence(build("rnn", "model.depth=2"), molecules)
    mask = molecules.tokens != 0
    real = mask[:, :, None] & mask[:, None]
    before = torch.ones(influence.shape[1:], dtype=torch.bool).tril()
    assert torch.equal(influence[real], before.expand(real.shape)[real])


def test_the_recurrence_is_the_gru_of_torch(build: Build, molecules: Molecules) -> None:
    layer = build("rnn").layers[0].function
    peer = torch.nn.GRU(16, 32, batch_first=True, dtype=torch.float64)
    peer.load_state_dict(
        {
            "weight_ih_l0": layer.inner.weight,
            "weight_hh_l0": layer.recur.weight,
            "bias_ih_l0": layer.inner.bias,
            "bias_hh_l0": layer.recur.bias,
        }
    )
    h = one_hot_tokens(molecules.tokens, torch.float64) @ torch.randn(NUM_TOKENS, 16, dtype=torch.float64)
    expected, _ = peer(h)
    assert (layer.remember(h) - expected).abs().max() < 1e-12
