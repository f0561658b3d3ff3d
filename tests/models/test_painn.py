"""The vectors of PaiNN rotate with the molecule, and its layers are those of the paper, written out pair by pair."""

from collections.abc import Callable

import pytest
import torch
from scipy.spatial.transform import Rotation

from ibbench.data.molecules import Molecules
from ibbench.models.layers.distances import pair_distances, radial_basis, smooth_cutoff
from ibbench.models.painn import Painn
from ibbench.models.registry import Model

Build = Callable[..., Model]


@pytest.mark.parametrize("mirrored", [False, True])
def test_numbers_stay_and_vectors_turn_with_the_molecule(mirrored: bool, build: Build, molecules: Molecules) -> None:
    model = build("painn")
    assert isinstance(model, Painn)
    turn = torch.from_numpy(Rotation.random(random_state=0).as_matrix())
    turn = -turn if mirrored else turn
    shift = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    s, v = model.states_and_vectors(molecules)
    moved = molecules._replace(positions=molecules.positions @ turn.T + shift)
    s_moved, v_moved = model.states_and_vectors(moved)
    here = molecules.mask
    assert v[here].abs().max() > 0.1
    torch.testing.assert_close(s_moved[here], s[here], rtol=0, atol=1e-9)
    torch.testing.assert_close(v_moved[here], (turn @ v)[here], rtol=0, atol=1e-9)


def test_the_layers_are_the_equations_of_the_paper(build: Build, molecules: Molecules) -> None:
    model = build("painn", "model.num_radial=20", "model.cutoff=4.0")
    assert isinstance(model, Painn)
    message, update = model.messages[1], model.updates[1]
    width, n = 16, 9
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(n, width, dtype=torch.float64, generator=generator)
    v = torch.randn(n, 3, width, dtype=torch.float64, generator=generator)
    positions = molecules.positions[molecules.mask.sum(1) == n][0]
    distances = pair_distances(positions)
    radial, factor = radial_basis(distances, 20, 4.0), smooth_cutoff(distances, 4.0) * (1 - torch.eye(n))
    line = positions[None, :] - positions[:, None]
    direction = line / torch.where(distances > 0, distances, 1.0)[..., None]
    found = message(s[None], v[None], radial[None], factor[None], direction[None])
    more_s, more_v = torch.zeros_like(s), torch.zeros_like(v)
    for i in range(n):
        for j in range(n):
            if i == j or distances[i, j] >= 4.0:
                continue
            weight = message.filter(radial[i, j]) * factor[i, j]
            number, share, along = (message.phi(s[j]) * weight).split(width)
            more_s[i] += number  # equation 7
            for axis in range(3):  # equation 8
                more_v[i, axis] += v[j, axis] * share + along * line[i, j, axis] / distances[i, j]
    torch.testing.assert_close(found[0][0], more_s)
    torch.testing.assert_close(found[1][0], more_v)
    one, other = update.mix.weight.split(width)
    for i in range(n):
        u, w = v[i] @ one.T, v[i] @ other.T
        length = (w.square().sum(0) + 1e-8).sqrt()
        a_vv, a_sv, a_ss = update.gates(torch.cat([s[i], length])).split(width)
        number, vector = update(s[None], v[None])
        torch.testing.assert_close(number[0, i], a_sv * (u * w).sum(0) + a_ss)  # equation 9
        torch.testing.assert_close(vector[0, i], a_vv * u)  # equation 10


def test_gradients_are_finite_where_vectors_start_at_zero(build: Build, molecules: Molecules) -> None:
    model = build("painn").train()
    model(molecules).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
