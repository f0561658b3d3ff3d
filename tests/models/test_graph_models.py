"""Models of atoms and bonds: their layers are those of the papers, and see as far as they should."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.nn import GINEConv, TransformerConv

from ibbench.data.dataset import DataSet
from ibbench.data.featurize import featurize
from ibbench.data.molecules import Molecules
from ibbench.models.graph_transformer import hop_distances
from ibbench.models.layers.one_hot import one_hot_bonds
from ibbench.models.registry import Model

Build = Callable[..., Model]


@pytest.mark.parametrize("name", ["gnn", "gat"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_model_of_neighbours_is_blind_beyond_its_depth(
    name: str, depth: int, build: Build, molecules: Molecules
) -> None:
    model = build(name, f"model.depth={depth}")
    atoms = molecules.atoms.clone().requires_grad_()
    states = model.states(molecules._replace(atoms=atoms))
    hops = hop_distances(molecules.bonds, 9)
    reached = torch.zeros(len(atoms), 9, 9, dtype=torch.bool)
    for atom in range(9):
        (gradient,) = torch.autograd.grad(states[:, atom].sum(), atoms, retain_graph=True)
        reached[:, atom] = gradient.abs().sum(-1) > 0
    assert not reached[hops > depth].any()
    real = molecules.mask[:, :, None] & molecules.mask[:, None]
    assert reached[(hops <= depth) & real].all()


def test_the_gnn_without_bonds_is_deep_sets(build: Build, molecules: Molecules) -> None:
    gnn, deep_sets = build("gnn"), build("deep_sets")
    weights = {name.replace(".phi.", "."): tensor for name, tensor in gnn.state_dict().items()}
    deep_sets.load_state_dict({name: tensor for name, tensor in weights.items() if name in deep_sets.state_dict()})
    without = molecules._replace(bonds=torch.zeros_like(molecules.bonds))
    assert torch.equal(gnn(without), deep_sets(molecules))


def test_deep_sets_is_rho_of_the_sum_of_phi(build: Build, molecules: Molecules) -> None:
    model = build("deep_sets")
    predictions = model(molecules)
    for index in (0, 20, 40, 63):
        total = torch.zeros(16, dtype=torch.float64)
        for atom in range(int(molecules.mask[index].sum())):  # phi sees one atom at a time
            state = model.embed(molecules.atoms[index, atom])
            for layer in model.layers:
                state = layer(state, None)
            total += state
        assert torch.allclose(model.readout.rho(total).squeeze(), predictions[index], atol=1e-12)


@pytest.fixture(scope="module")
def graphs(qm9: DataSet) -> Batch:
    """The second half of `molecules`, as PyTorch Geometric has them."""
    return Batch.from_data_list(qm9.molecules.select(torch.arange(60_000, 60_032)).to_pyg())


def test_message_passing_equals_gineconv_of_pytorch_geometric(
    build: Build, molecules: Molecules, graphs: Batch
) -> None:
    layer = build("gnn", "model.activation=relu", "model.normalisation=none").layers[0].function
    peer = GINEConv(torch.nn.Identity(), eps=-1.0)  # sum of messages only: phi takes the atom's own state apart
    ours = molecules.select(torch.arange(32, 64))
    state = torch.randn(32, 9, 16, dtype=torch.float64)
    adjacency = one_hot_bonds(ours.bonds, torch.float64).flatten(-2)
    edges = graphs.edge_attr.double() @ layer.bond_vectors
    expected = peer(state[ours.mask], graphs.edge_index, edges)
    assert (layer.sum_messages(state, adjacency)[ours.mask] - expected).abs().max() < 1e-10
    whole = layer.phi.outer(layer.phi.inner(state[ours.mask]) + layer.message(expected))
    assert (layer(state, adjacency, None)[ours.mask] - whole).abs().max() < 1e-10


def test_lengths_add_to_the_messages_and_without_them_these_are_as_before(build: Build, molecules: Molecules) -> None:
    layer = build("ladder/gnn_lengths").layers[0].function
    state, radial = torch.randn(64, 9, 16, dtype=torch.float64), torch.rand(64, 9, 9, 16, dtype=torch.float64)
    adjacency = one_hot_bonds(molecules.bonds, torch.float64).flatten(-2)
    with torch.no_grad():
        with_lengths = layer.sum_with_lengths(state, adjacency, radial)
        layer.length.weight.zero_()
        without = layer.sum_with_lengths(state, adjacency, radial)
    assert (without - layer.sum_messages(state, adjacency)).abs().max() < 1e-12
    assert (with_lengths - without).abs().max() > 0.1


def test_attention_equals_pytorchs_multihead_attention(build: Build) -> None:
    attention = build("graph_transformer").attentions[0].function
    peer = torch.nn.MultiheadAttention(16, 4, batch_first=True, dtype=torch.float64)
    peer.load_state_dict(
        {
            "in_proj_weight": attention.query_key_value.weight,
            "in_proj_bias": torch.zeros(48),
            "out_proj.weight": attention.out.weight,
            "out_proj.bias": attention.out.bias,
        }
    )
    state, bias = torch.randn(8, 9, 16, dtype=torch.float64), torch.randn(8, 4, 9, 9, dtype=torch.float64)
    expected, _ = peer(state, state, state, attn_mask=bias.flatten(0, 1), need_weights=False)
    assert (attention(state, bias) - expected).abs().max() < 1e-10


def _heard(model: Model, molecules: Molecules, state: Tensor) -> Tensor:
    """Return what the first layer of attention makes of these states, real atoms only."""
    return model.attentions[0].function(state, model.score_bias(molecules))[molecules.mask]


def test_graph_attention_equals_transformerconv_of_pytorch_geometric(
    build: Build, molecules: Molecules, graphs: Batch
) -> None:
    model = build("gat")
    attention = model.attentions[0].function
    with torch.no_grad():
        model.bond_bias.zero_()
    peer = TransformerConv(16, 4, heads=4, bias=False, root_weight=False).double()
    names = ("lin_query.weight", "lin_key.weight", "lin_value.weight")
    peer.load_state_dict(dict(zip(names, attention.query_key_value.weight.chunk(3), strict=True)), strict=False)
    ours = molecules.select(torch.arange(32, 64))
    state = torch.randn(32, 9, 16, dtype=torch.float64)
    loops = torch.arange(int(ours.mask.sum())).expand(2, -1)  # an atom hears itself
    expected = attention.out(peer(state[ours.mask], torch.cat([graphs.edge_index, loops], dim=1)))
    assert (_heard(model, ours, state) - expected).abs().max() < 1e-10


def test_a_bias_of_bond_type_scales_the_weight_of_that_bond(build: Build, molecules: Molecules) -> None:
    model = build("gat", "model.heads=1")
    with torch.no_grad():
        model.attentions[0].function.query_key_value.weight[:32] = 0  # all scores are equal, but for the bias
        model.bond_bias[:] = torch.arange(5.0)[:, None].log1p()  # so that a bond of type t weighs t + 1
    state = torch.randn(64, 9, 16, dtype=torch.float64)
    attention = model.attentions[0].function
    weights = (molecules.bonds + 1.0) * ((molecules.bonds != 0) | torch.eye(9, dtype=torch.bool))
    values = state @ attention.query_key_value.weight[32:].T
    expected = attention.out((weights / weights.sum(-1, keepdim=True)).double() @ values)
    assert (_heard(model, molecules, state) - expected[molecules.mask]).abs().max() < 1e-6


@pytest.mark.parametrize("longest", [2, 4, 8])
def test_distances_beyond_the_longest_are_alike_to_the_graph_transformer(longest: int, build: Build) -> None:
    bonds = torch.from_numpy(featurize(["C" * 9], "implicit").bonds)
    chain = Molecules(
        torch.zeros(1, 9, 11),
        bonds,
        torch.ones(1, 9, dtype=torch.bool),
        torch.zeros(1, 9, 3),
        torch.zeros(1, 9, dtype=torch.uint8),
    )
    bias = build("graph_transformer", f"model.max_hops={longest}", "model.heads=1").score_bias(chain)[0, 0]
    at = [bias.diagonal(distance).unique() for distance in range(9)]
    assert all(len(values) == 1 for values in at)
    assert len(torch.cat(at).unique()) == longest + 1


def test_hop_distances_of_a_ring_a_chain_and_two_fragments() -> None:
    bonds = torch.from_numpy(featurize(["C1CCCCC1", "CCCCCC", "CCCC.CC"], "implicit").bonds)
    ring, chain, fragments = hop_distances(bonds, 8)
    places = torch.arange(6)
    apart = (places[:, None] - places).abs()
    assert torch.equal(chain, apart)
    assert torch.equal(ring, torch.minimum(apart, 6 - apart))
    assert torch.equal(fragments[:4, :4], apart[:4, :4])
    assert (fragments[:4, 4:] == 8).all()
    assert torch.equal(hop_distances(bonds, 3), hop_distances(bonds, 8).clamp(max=3))
