"""Influence and mixing where they are known by hand, against PyTorch Geometric, and on real models."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils.influence import jacobian_l1_agg_per_hop

from ibbench.models.graph_transformer import hop_distances
from ibbench.models.layers.attention import Attention
from ibbench.options.config import Config
from ibbench.probes.reach import CONTENT, FARTHEST, MIXING, SHARE, WHOLE, Reach
from ibbench.probes.subject.attention import attention_weights, relative_entropy
from ibbench.probes.subject.influence import influence, mixing
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan

TINY = ("experiment=tiny", "seeds=[0]")


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_linear_ring_has_the_trinomial_coefficients(depth: int) -> None:
    size = 11
    ring = sum(torch.roll(torch.eye(size, dtype=torch.float64), shift, 0) for shift in (-1, 0, 1))
    matrix = torch.randn(3, 3, dtype=torch.float64)

    def layers(h: Tensor) -> Tensor:
        for _ in range(depth):
            h = ring @ h @ matrix
        return h

    found = influence(layers, torch.zeros(2, size, 3, dtype=torch.float64))
    coefficients = np.poly1d([1, 1, 1]) ** depth
    expected = torch.zeros(size, dtype=torch.float64)
    expected[: 2 * depth + 1] = torch.tensor(coefficients.coeffs)
    expected = torch.roll(expected, -depth) * torch.linalg.matrix_power(matrix, depth).abs().sum()
    assert torch.allclose(found[:, 0], expected.expand(2, -1))
    assert torch.allclose(found[:, 4], torch.roll(expected, 4).expand(2, -1))


def test_mixing_of_a_bilinear_function_is_the_size_of_its_matrices() -> None:
    matrices = torch.randn(4, 4, 3, 3, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        return torch.einsum("bip,ijpq,bjq->b", x, matrices, x) + x.sum((1, 2))

    found = mixing(function, torch.randn(2, 4, 3, dtype=torch.float64))
    expected = (matrices + matrices.permute(1, 0, 3, 2)).square().sum((2, 3)).sqrt()
    assert torch.allclose(found, expected.expand(2, -1, -1))


def _subject(config: Callable[..., Config], *options: str) -> Subject:
    return Subject(plan(config(*TINY, *options)), 0, ["gap"], "init", 10)


def test_influence_is_that_of_pytorch_geometric(config: Callable[..., Config]) -> None:
    subject = _subject(config, "model=gnn")
    model, molecules = subject.module(), subject.inputs(subject.test_index)
    one = molecules.select(torch.tensor([3]))
    (graph,) = one.to_pyg()

    class OnGraph(nn.Module):
        def forward(self, x: Tensor, _edges: Tensor) -> Tensor:  # the whole molecule is within as many hops as atoms
            return model.states(one._replace(atoms=nn.functional.pad(x, (0, 0, 0, size - len(x)))[None]))[0]

    size, there = molecules.mask.shape[-1], len(graph.x)
    found = influence(lambda atoms: model.states(molecules._replace(atoms=atoms)), molecules.atoms)[3]
    hops = hop_distances(one.bonds, size)[0]
    for atom in (0, there - 1):
        theirs = jacobian_l1_agg_per_hop(OnGraph(), graph, there, atom, "cpu")
        ours = [float(found[atom, :there][hops[atom, :there] == hop].sum()) for hop in range(there + 1)]
        assert np.allclose(ours, theirs, rtol=1e-4)
        assert ours[1] > 0


def _figures(config: Callable[..., Config], *options: str) -> dict[tuple[str, str], float]:
    subject = _subject(config, "data.test_size=32", *options)
    return {(finding.quantity, finding.part): finding.value for finding in Reach().measure(subject)}


@pytest.mark.parametrize("depth", [1, 3])
def test_messages_go_one_bond_per_layer_and_no_further(depth: int, config: Callable[..., Config]) -> None:
    found = _figures(config, "model=gnn", f"model.depth={depth}")
    shares = [value for (quantity, _), value in found.items() if quantity == SHARE]
    assert found[FARTHEST, WHOLE] == depth
    assert all(share > 0 for share in shares[: depth + 1])
    assert all(share == 0 for share in shares[depth + 1 :])
    assert sum(shares) == pytest.approx(1)


def test_a_set_of_atoms_has_no_reach_and_a_window_has_its_own(config: Callable[..., Config]) -> None:
    of_set = _figures(config, "model=deep_sets")
    assert (of_set[SHARE, "0 bonds"], of_set[FARTHEST, WHOLE], of_set[CONTENT, WHOLE]) == (1, 0, 0)
    window = _figures(config, "model=cnn", "model.depth=2", "model.kernel_size=3")
    assert window[FARTHEST, WHOLE] == 2
    of_mlp = _figures(config, "model=mlp")
    assert {quantity for quantity, _ in of_mlp} == {MIXING}


def test_content_changes_nothing_where_weights_are_fixed_and_functions_linear(config: Callable[..., Config]) -> None:
    linear = ("model.activation=identity", "model.normalisation=none")
    assert _figures(config, "model=gnn", *linear)[CONTENT, WHOLE] < 1e-5
    assert _figures(config, "model=gnn")[CONTENT, WHOLE] > 1e-2
    assert _figures(config, "model=graph_transformer", *linear)[CONTENT, WHOLE] > 1e-2


@pytest.mark.parametrize("model", ["gat", "graph_transformer", "ladder/graph_transformer_token"])
def test_weights_of_attention_give_what_the_layer_gives(model: str, config: Callable[..., Config]) -> None:
    subject = _subject(config, f"model={model}")
    network, molecules = subject.module(), subject.inputs(subject.test_index)
    layers = [layer for layer in network.modules() if isinstance(layer, Attention)]
    heard: list[tuple[Tensor, Tensor]] = []
    for layer in layers:
        layer.register_forward_hook(lambda _layer, given, out: heard.append((given[0], out)))
    weights = attention_weights(network, molecules)
    for layer, mixed, (h, out) in zip(layers, weights, heard, strict=True):
        value = layer.query_key_value(h).unflatten(-1, (3, layer.heads, -1)).movedim(-2, -4).unbind(-2)[2]
        again = layer.out((mixed @ value).movedim(-3, -2).flatten(-2))
        there = torch.nn.functional.pad(molecules.mask, (0, h.shape[1] - molecules.mask.shape[1]), value=True)
        assert torch.allclose(again[there], out[there], atol=1e-5)


def test_entropy_is_that_of_equal_weights_or_of_one_alone() -> None:
    heard = torch.ones(1, 4, 4, dtype=torch.bool)
    equal, alone = torch.full((1, 1, 4, 4), 0.25), torch.eye(4)[None, None]
    assert torch.allclose(relative_entropy(equal, heard), torch.ones(1, 1, 4))
    assert torch.equal(relative_entropy(alone, heard), torch.zeros(1, 1, 4))
