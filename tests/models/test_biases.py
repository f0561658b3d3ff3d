"""The assumptions themselves: each model has the symmetries it claims, and no others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models.registry import Model, Symmetry, build_model
from ibbench.options.model import ModelOptions
from ibbench.probes.symmetry import symmetry_error

# By the names of their configs; those of the ladder are variants of a model.
SET_MODELS = [
    "deep_sets",
    "gnn",
    "gat",
    "graph_transformer",
    "schnet",
    "painn",
    "ladder/gnn_lengths",
    "ladder/transformer",
]
SET_MODELS += [f"ladder/graph_transformer_{what}" for what in ("sigmoid", "degrees", "norm", "token")]
SET_MODELS += ["ladder/gat_sigmoid", "ladder/gnn_mean", "soft/graph_transformer_walks"]
STRING_MODELS = ["cnn", "rnn"]
SPATIAL_MODELS = ["schnet", "painn", "ladder/gnn_lengths"]
ALL_MODELS = ["mlp", "residual_pathway", *SET_MODELS, *STRING_MODELS]
OF_ANY_SIZE = [name for name in ALL_MODELS if name not in {"mlp", "residual_pathway"}]
FILES = [name for name in ALL_MODELS if "/" not in name]  # one per file; the others are their variants
EXACT = {
    *((name, "permutation") for name in SET_MODELS),
    *((name, symmetry) for name in SPATIAL_MODELS for symmetry in ("rotation", "translation", "reflection")),
    ("cnn", "translation along the string"),
}
READS = {
    "mlp": {"atoms", "bonds"},
    "residual_pathway": {"atoms", "bonds"},
    "deep_sets": {"atoms"},
    "gnn": {"atoms", "bonds"},
    "gat": {"atoms", "bonds"},
    "graph_transformer": {"atoms", "bonds"},
    "schnet": {"atoms", "positions"},
    "painn": {"atoms", "positions"},
    **{f"ladder/graph_transformer_{what}": {"atoms", "bonds"} for what in ("sigmoid", "degrees", "norm", "token")},
    "ladder/gat_sigmoid": {"atoms", "bonds"},
    "soft/graph_transformer_walks": {"atoms", "bonds"},
    "ladder/gnn_mean": {"atoms", "bonds"},
    "ladder/gnn_lengths": {"atoms", "bonds", "positions"},
    "ladder/transformer": {"atoms"},
    "cnn": {"tokens"},
    "rnn": {"tokens"},
}
Options = Callable[..., ModelOptions]
Build = Callable[..., Model]


def _change(model: Model, one: Molecules, other: Molecules) -> float:
    return (model(one) - model(other)).abs().max().item()


@pytest.mark.parametrize(("name", "symmetry"), sorted(EXACT))
@pytest.mark.parametrize("seed", range(2))
def test_a_symmetry_of_a_model_is_exact(
    name: str, symmetry: Symmetry, seed: int, build: Build, molecules: Molecules
) -> None:
    assert symmetry_error(build(name), molecules, symmetry, seed).largest < 1e-9


@pytest.mark.parametrize("name", ALL_MODELS)
def test_a_model_declares_no_symmetry_that_is_not_tested(name: str, build: Build) -> None:
    assert {(name, symmetry) for symmetry in build(name).symmetries} <= EXACT


@pytest.mark.parametrize(
    ("name", "symmetry"),
    [("mlp", "permutation"), ("residual_pathway", "permutation"), ("rnn", "translation along the string")],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_symmetry_that_a_model_lacks_is_broken(
    name: str, symmetry: Symmetry, seed: int, build: Build, molecules: Molecules
) -> None:
    assert symmetry_error(build(name), molecules, symmetry, seed).relative > (
        0.02 if name == "residual_pathway" else 0.1
    )


@pytest.mark.parametrize("name", SET_MODELS)
def test_padding_may_lie_between_the_atoms(name: str, build: Build, molecules: Molecules) -> None:
    assert _change(build(name), molecules, molecules.relabel(torch.randperm(9))) < 1e-9


def test_relabelling_moves_atoms_with_their_bonds_and_positions(molecules: Molecules) -> None:
    order = torch.randperm(9)
    relabelled = molecules.relabel(order)
    assert torch.equal(relabelled.atoms, molecules.atoms[:, order])
    assert torch.equal(relabelled.bonds, molecules.bonds[:, order][:, :, order])
    assert torch.equal(relabelled.mask, molecules.mask[:, order])
    assert torch.equal(relabelled.positions, molecules.positions[:, order])
    assert torch.equal(relabelled.tokens, molecules.tokens)
    assert not torch.equal(relabelled.bonds, molecules.bonds)


@pytest.mark.parametrize("name", SPATIAL_MODELS)
def test_moving_one_atom_changes_the_prediction(name: str, build: Build, molecules: Molecules) -> None:
    model = build(name)
    large = molecules.select((molecules.mask.sum(1) == 9).nonzero()[:, 0])
    for atom in range(9):
        positions = large.positions.clone()
        positions[:, atom, 0] += 0.2
        assert _change(model, large, large._replace(positions=positions)) > 1e-4


@pytest.mark.parametrize("name", ALL_MODELS)
@pytest.mark.parametrize("field", ["bonds", "positions", "tokens"])
def test_a_model_reads_what_it_says_and_nothing_else(
    name: str, field: str, build: Build, options: Options, molecules: Molecules
) -> None:
    model = build(name)
    assert model.reads_with(options(name)) == READS[name]
    others = {
        "bonds": torch.zeros_like(molecules.bonds),
        "positions": molecules.positions * torch.linspace(0.5, 1.5, 9, dtype=torch.float64)[:, None],
        "tokens": torch.where(molecules.tokens == 2, 3, molecules.tokens).byte(),  # C becomes N
    }
    change = _change(model, molecules, molecules._replace(**{field: others[field]}))
    assert change > 1e-3 if field in READS[name] else change == 0
    assert _change(model, molecules, molecules.keep(READS[name])) == 0


@pytest.mark.parametrize(
    ("name", "normalisation"),
    [*((name, which) for name in FILES for which in ("none", "batch")), *((name, "layer") for name in ALL_MODELS)],
)
def test_what_lies_in_the_padding_never_changes_a_prediction(
    name: str, normalisation: str, build: Build, molecules: Molecules
) -> None:
    model = build(name, f"model.normalisation={normalisation}").train()  # batch statistics are live
    here = molecules.mask[..., None]
    rubbish = molecules._replace(
        atoms=torch.where(here, molecules.atoms, 7.0),
        positions=torch.where(here, molecules.positions, torch.randn(64, 9, 3, dtype=torch.float64)),
    )
    assert _change(model, molecules, rubbish) < 1e-9


@pytest.mark.parametrize(
    ("name", "normalisation"),
    [
        *((name, which) for name in OF_ANY_SIZE if name in FILES for which in ("none", "batch")),
        *((name, "layer") for name in OF_ANY_SIZE),
    ],
)
def test_more_padding_never_changes_a_prediction(
    name: str, normalisation: str, build: Build, molecules: Molecules
) -> None:
    model = build(name, f"model.normalisation={normalisation}").train()
    pad = torch.nn.functional.pad
    atoms, bonds, mask, positions, tokens = molecules
    padded = Molecules(
        pad(atoms, (0, 0, 0, 4)),
        pad(bonds, (0, 4, 0, 4)),
        pad(mask, (0, 4)),
        pad(positions, (0, 0, 0, 4)),
        pad(tokens, (0, 6)),
    )
    assert _change(model, molecules, padded) < 1e-9


@pytest.mark.parametrize("name", [name for name in ALL_MODELS if name != "residual_pathway"])
def test_a_prediction_is_the_readout_of_states_that_padding_is_no_part_of(
    name: str, build: Build, molecules: Molecules
) -> None:
    model = build(name)
    states, mask = model.states(molecules), model.mask_of(molecules)
    if mask is None:
        assert states.shape == (64, 16)
        assert torch.equal(model.readout.rho(states).squeeze(-1), model(molecules))
    else:
        assert states.shape == (*mask.shape, 16)
        states = states if model.readout.norm is None else model.readout.norm(states, mask)
        pool = {"sum": torch.sum, "mean": torch.mean}[model.readout.pooling]
        pooled = torch.stack([pool(state[here], 0) for state, here in zip(states, mask, strict=True)])
        assert torch.allclose(model.readout.rho(pooled).squeeze(-1), model(molecules))


@pytest.mark.parametrize("name", STRING_MODELS)
def test_the_models_of_strings_do_not_see_the_atoms(name: str, build: Build, molecules: Molecules) -> None:
    without = molecules._replace(atoms=torch.zeros_like(molecules.atoms), mask=torch.zeros_like(molecules.mask))
    assert _change(build(name), molecules, without) == 0


def _gradient_of_first_layer(options: ModelOptions, molecules: Molecules) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    model = build_model(QM9_PADDING["implicit"], options).double().train()
    prediction = model(molecules)
    prediction.square().sum().backward()
    return prediction.detach(), model.embed.weight.grad


DEFAULTS = ("model.activation=silu", "model.normalisation=layer", "model.initialisation=default")
SHARED_OPTIONS = [
    *(f"model.activation={kind}" for kind in ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")),
    *(f"model.normalisation={kind}" for kind in ("none", "layer", "batch")),
    *(f"model.initialisation={kind}" for kind in ("default", "he", "xavier", "small", "large")),
    "model.residual=false",
    "model.dropout=0.5",
    "model.depth=1",
    "model.hidden=5",
    "model.width=17",
]
OWN_OPTIONS = [
    ("gnn", "model.num_radial=16"),
    ("ladder/gnn_lengths", "model.num_radial=8"),
    ("gat", "model.heads=2"),
    ("graph_transformer", "model.heads=2"),
    *(("graph_transformer", f"model.{own}") for own in ("weighting=sigmoid", "degrees=true", "token=true")),
    ("graph_transformer", "model.random_walk=4"),
    ("residual_pathway", "model.free=0.5"),
    ("gat", "model.weighting=sigmoid"),
    *((name, f"model.{own}") for name in ("gnn", "cnn") for own in ("pooling=mean", "pooling=max", "final_norm=true")),
    ("painn", "model.num_radial=16"),
    ("schnet", "model.num_radial=16"),
    ("schnet", "model.cutoff=3.0"),
    ("cnn", "model.kernel_size=1"),
    ("cnn", "model.kernel_size=7"),
]


@pytest.mark.parametrize(("name", "override"), [*((name, o) for o in SHARED_OPTIONS for name in FILES), *OWN_OPTIONS])
def test_every_option_changes_the_model(name: str, override: str, options: Options, molecules: Molecules) -> None:
    prediction, gradient = _gradient_of_first_layer(options(name, override), molecules)
    assert prediction.isfinite().all()
    if override != "model.initialisation=large":  # which makes signals explode, that being its purpose
        assert gradient.isfinite().all()
    assert gradient.any()
    if override not in DEFAULTS:
        assert not torch.allclose(prediction, _gradient_of_first_layer(options(name, *DEFAULTS), molecules)[0])


def test_masked_batch_norm_is_that_of_torch_on_the_atoms_alone(build: Build, molecules: Molecules) -> None:
    norm = build("deep_sets", "model.normalisation=batch").layers[0].norm.train()
    peer = torch.nn.BatchNorm1d(16, affine=False, dtype=torch.float64)
    state = torch.randn(64, 9, 16, dtype=torch.float64)
    atoms = state[molecules.mask]
    assert torch.allclose(norm(state, molecules.mask)[molecules.mask], peer(atoms))
    assert torch.allclose(norm.running_mean, peer.running_mean)
    assert torch.allclose(norm.running_var, peer.running_var)
    assert torch.allclose(norm.eval()(state, molecules.mask)[molecules.mask], peer.eval()(atoms))
