"""The assumptions themselves: each model has the symmetries it claims, and no others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.nn import GINEConv

from ibbench.config import Config
from ibbench.data.dataset import DataSet
from ibbench.data.featurize import featurize
from ibbench.data.molecules import Molecules
from ibbench.models.blocks import one_hot_bonds
from ibbench.models.gnn import Gnn
from ibbench.models.graph_transformer import hop_distances
from ibbench.models.registry import Model, build_model
from ibbench.options import ModelOptions

SET_MODELS = ["deep_sets", "gnn", "graph_transformer"]
ALL_MODELS = ["mlp", *SET_MODELS]
Options = Callable[..., ModelOptions]


@pytest.fixture
def options(config: Callable[..., Config]) -> Options:
    def compose(name: str, *overrides: str) -> ModelOptions:
        return config(f"model={name}", "budget=null", "model.width=16", *overrides).model

    return compose


@pytest.fixture(scope="module")
def molecules(qm9: DataSet) -> Molecules:
    """64 molecules of all sizes, in float64, roughly standardised."""
    index = torch.cat([torch.arange(32), torch.arange(60_000, 60_032)])
    batch = qm9.molecules.select(index)
    return batch._replace(atoms=(batch.atoms.double() - 0.5) * batch.mask[..., None])


def _build(options: ModelOptions, num_atoms: int = 9) -> Model:
    model = build_model(num_atoms, options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases that start at zero should count, too
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def _relabel(molecules: Molecules, order: Tensor) -> Molecules:
    atoms, bonds, mask, positions = molecules
    return Molecules(atoms[:, order], bonds[:, order][:, :, order], mask[:, order], positions[:, order])


def _relabel_atoms(molecules: Molecules) -> Molecules:
    """Swap the first two atoms of each molecule, both real in all but the smallest."""
    return _relabel(molecules, torch.tensor([1, 0, *range(2, 9)]))


@pytest.mark.parametrize("name", SET_MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_relabelling_atoms_does_not_change_the_prediction(
    name: str, seed: int, options: Options, molecules: Molecules
) -> None:
    model = _build(options(name))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    assert (model(molecules) - model(_relabel(molecules, order))).abs().max() < 1e-9


def test_relabelling_atoms_changes_the_prediction_of_the_mlp(options: Options, molecules: Molecules) -> None:
    model = _build(options("mlp"))
    large = molecules.mask.sum(1) == 9
    change = (model(molecules) - model(_relabel_atoms(molecules))).abs()
    assert change[large].max() > 1e-3


@pytest.mark.parametrize("name", ALL_MODELS)
@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_what_lies_in_the_padding_never_changes_a_prediction(
    name: str, normalisation: str, options: Options, molecules: Molecules
) -> None:
    model = _build(options(name, f"model.normalisation={normalisation}")).train()  # batch statistics are live
    atoms, bonds, mask, positions = molecules
    rubbish = Molecules(torch.where(mask[..., None], atoms, 7.0), bonds, mask, positions)
    assert (model(molecules) - model(rubbish)).abs().max() < 1e-9


@pytest.mark.parametrize("name", SET_MODELS)
@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_more_padding_never_changes_a_prediction(
    name: str, normalisation: str, options: Options, molecules: Molecules
) -> None:
    model = _build(options(name, f"model.normalisation={normalisation}")).train()
    pad = torch.nn.functional.pad
    atoms, bonds, mask, positions = molecules
    padded = Molecules(
        pad(atoms, (0, 0, 0, 4)), pad(bonds, (0, 4, 0, 4)), pad(mask, (0, 4)), pad(positions, (0, 0, 0, 4))
    )
    assert (model(molecules) - model(padded)).abs().max() < 1e-9


def test_deep_sets_ignores_bonds_and_the_others_do_not(options: Options, molecules: Molecules) -> None:
    without = molecules._replace(bonds=torch.zeros_like(molecules.bonds))
    for name in ALL_MODELS:
        model = _build(options(name))
        change = (model(molecules) - model(without)).abs().max()
        assert change == 0 if name == "deep_sets" else change > 1e-3


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_gnn_is_blind_beyond_its_depth(depth: int, options: Options, molecules: Molecules) -> None:
    model = _build(options("gnn", f"model.depth={depth}"))
    assert isinstance(model, Gnn)
    atoms = molecules.atoms.clone().requires_grad_()
    states = model.atom_states(molecules._replace(atoms=atoms))
    hops = hop_distances(molecules.bonds, 9)
    reached = torch.zeros(len(atoms), 9, 9, dtype=torch.bool)
    for atom in range(9):
        (gradient,) = torch.autograd.grad(states[:, atom].sum(), atoms, retain_graph=True)
        reached[:, atom] = gradient.abs().sum(-1) > 0
    assert not reached[hops > depth].any()
    real = molecules.mask[:, :, None] & molecules.mask[:, None]
    assert reached[(hops <= depth) & real].all()


def test_the_gnn_without_bonds_is_deep_sets(options: Options, molecules: Molecules) -> None:
    gnn, deep_sets = _build(options("gnn")), _build(options("deep_sets"))
    weights = {name.replace(".phi.", "."): tensor for name, tensor in gnn.state_dict().items()}
    deep_sets.load_state_dict({name: tensor for name, tensor in weights.items() if name in deep_sets.state_dict()})
    without = molecules._replace(bonds=torch.zeros_like(molecules.bonds))
    assert torch.equal(gnn(without), deep_sets(molecules))


def test_deep_sets_is_rho_of_the_sum_of_phi(options: Options, molecules: Molecules) -> None:
    model = _build(options("deep_sets"))
    predictions = model(molecules)
    for index in (0, 20, 40, 63):
        total = torch.zeros(16, dtype=torch.float64)
        for atom in range(int(molecules.mask[index].sum())):  # phi sees one atom at a time
            state = model.embed(molecules.atoms[index, atom])
            for layer in model.layers:
                state = layer(state, None)
            total += state
        assert torch.allclose(model.readout.rho(total).squeeze(), predictions[index], atol=1e-12)


def test_message_passing_equals_gineconv_of_pytorch_geometric(
    options: Options, molecules: Molecules, qm9: DataSet
) -> None:
    model = _build(options("gnn", "model.activation=relu", "model.normalisation=none"))
    layer = model.layers[0].function
    graphs = Batch.from_data_list(qm9.molecules.select(torch.arange(60_000, 60_032)).to_pyg())
    peer = GINEConv(torch.nn.Identity(), eps=-1.0)  # sum of messages only: phi takes the atom's own state apart
    ours = molecules.select(torch.arange(32, 64))
    state = torch.randn(32, 9, 16, dtype=torch.float64)
    adjacency = one_hot_bonds(ours.bonds, torch.float64).flatten(-2)
    edges = graphs.edge_attr.double() @ layer.bond_vectors
    expected = peer(state[ours.mask], graphs.edge_index, edges)
    assert (layer.sum_messages(state, adjacency)[ours.mask] - expected).abs().max() < 1e-10
    whole = layer.phi.outer(layer.phi.inner(state[ours.mask]) + layer.message(expected))
    assert (layer(state, adjacency)[ours.mask] - whole).abs().max() < 1e-10


def test_attention_equals_pytorchs_multihead_attention(options: Options) -> None:
    model = _build(options("graph_transformer"))
    attention = model.attentions[0].function
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


@pytest.mark.parametrize("name", ALL_MODELS)
@pytest.mark.parametrize(
    "override",
    [
        *(f"model.activation={kind}" for kind in ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")),
        *(f"model.normalisation={kind}" for kind in ("none", "layer", "batch")),
        *(f"model.initialisation={kind}" for kind in ("default", "he", "xavier")),
        "model.residual=false",
        "model.dropout=0.5",
        "model.depth=1",
        "model.hidden=5",
        "model.width=17",
    ],
)
def test_every_option_changes_the_model(name: str, override: str, options: Options, molecules: Molecules) -> None:
    def gradient_of_first_layer(*overrides: str) -> tuple[Tensor, Tensor]:
        torch.manual_seed(1)
        model = build_model(9, options(name, *overrides)).double().train()
        prediction = model(molecules)
        prediction.square().sum().backward()
        return prediction.detach(), model.embed.weight.grad

    defaults = ("model.activation=silu", "model.normalisation=layer", "model.initialisation=default")
    prediction, gradient = gradient_of_first_layer(override)
    assert prediction.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.any()
    if override not in defaults:
        assert not torch.allclose(prediction, gradient_of_first_layer(*defaults)[0])


def test_masked_batch_norm_is_that_of_torch_on_the_atoms_alone(options: Options, molecules: Molecules) -> None:
    norm = _build(options("deep_sets", "model.normalisation=batch")).layers[0].norm.train()
    peer = torch.nn.BatchNorm1d(16, affine=False, dtype=torch.float64)
    state = torch.randn(64, 9, 16, dtype=torch.float64)
    atoms = state[molecules.mask]
    assert torch.allclose(norm(state, molecules.mask)[molecules.mask], peer(atoms))
    assert torch.allclose(norm.running_mean, peer.running_mean)
    assert torch.allclose(norm.running_var, peer.running_var)
    assert torch.allclose(norm.eval()(state, molecules.mask)[molecules.mask], peer.eval()(atoms))
