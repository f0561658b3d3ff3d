"""Geometry enters through distances, described and filtered as in the papers."""

from collections.abc import Callable

import pytest
import torch
from torch_geometric.nn.models.schnet import CFConv, GaussianSmearing

from ibbench.data.molecules import Molecules
from ibbench.models.layers.distances import pair_distances, radial_basis, smooth_cutoff
from ibbench.models.registry import Model

Build = Callable[..., Model]


def test_pair_distances_are_those_of_cdist_and_bonds_are_short(molecules: Molecules) -> None:
    distances = pair_distances(molecules.positions)
    assert torch.allclose(distances, torch.cdist(molecules.positions, molecules.positions), atol=1e-6)
    lengths = distances[molecules.bonds != 0]
    assert lengths.min() > 1.0
    assert lengths.max() < 1.7


@pytest.mark.parametrize(("num_radial", "cutoff"), [(2, 3.0), (16, 2.5), (50, 10.0)])
def test_the_radial_basis_is_gaussian_smearing_of_pytorch_geometric(num_radial: int, cutoff: float) -> None:
    distances = torch.linspace(0, 12, 200)
    expected = GaussianSmearing(0, cutoff, num_radial)(distances)
    assert torch.allclose(radial_basis(distances, num_radial, cutoff), expected, atol=1e-5)


def test_the_cutoff_falls_from_one_to_zero_and_stays_there() -> None:
    factor = smooth_cutoff(torch.linspace(0, 6, 601, dtype=torch.float64), 5.0)
    assert factor[0] == 1
    assert factor[250].item() == pytest.approx(0.5)
    assert (factor[:501].diff() < 0).all()
    assert (factor[500:] == 0).all()
    assert factor.diff().abs().max() < 0.01  # no step that an optimizer would stumble over


def test_the_convolution_equals_that_of_pytorch_geometric(build: Build, molecules: Molecules) -> None:
    cutoff = 3.0  # smaller than most molecules
    layer = build("schnet", "model.num_radial=20", f"model.cutoff={cutoff}").layers[0].function
    peer = CFConv(16, 16, 16, layer.filter, cutoff)
    peer.lin1 = peer.lin2 = torch.nn.Identity()
    state = torch.randn(64, 9, 16, dtype=torch.float64)
    distances = pair_distances(molecules.positions)
    pairs = molecules.mask[:, :, None] & molecules.mask[:, None] & ~torch.eye(9, dtype=torch.bool)
    near = pairs & (distances < cutoff)
    assert 0.3 < near.sum() / pairs.sum() < 0.9
    molecule, receiver, sender = near.nonzero(as_tuple=True)
    number = torch.zeros(64, 9, dtype=torch.int64)
    number[molecules.mask] = torch.arange(int(molecules.mask.sum()))
    edge_index = torch.stack([number[molecule, sender], number[molecule, receiver]])
    lengths = distances[near]
    expected = peer(state[molecules.mask], edge_index, lengths, GaussianSmearing(0, cutoff, 20).double()(lengths))
    found = layer.sum_messages(state, radial_basis(distances, 20, cutoff), smooth_cutoff(distances, cutoff) * pairs)
    assert (found[molecules.mask] - expected).abs().max() < 1e-5  # the centres of the peer are in float32


def test_atoms_beyond_the_cutoff_do_not_meet(build: Build, molecules: Molecules) -> None:
    model = build("schnet", "model.cutoff=2.0")
    apart = molecules.positions.clone()
    apart[:, 0] += 100.0
    farther = apart.clone()
    farther[:, 0] += 50.0
    one, other = (model(molecules._replace(positions=positions)) for positions in (apart, farther))
    assert torch.equal(one, other)
    assert (one - model(molecules)).abs().max() > 1e-3
