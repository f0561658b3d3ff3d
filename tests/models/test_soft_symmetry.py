"""A free branch that can be turned up and down, and random walks along the bonds."""

from collections.abc import Callable

import pytest
import torch

from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_smiles
from ibbench.models.graph_transformer import GraphTransformer, walk_probabilities
from ibbench.models.registry import Model
from ibbench.probes.symmetry import symmetry_error

Build = Callable[..., Model]


def test_a_free_branch_breaks_the_symmetry_as_far_as_it_may(build: Build, molecules: Molecules) -> None:
    broken = []
    for free in (1e-12, 0.1, 10):
        torch.manual_seed(0)
        model = build("residual_pathway", f"model.free={free}")
        broken.append(symmetry_error(model, molecules, "permutation", 0).relative)
    assert broken[0] < 1e-9
    assert broken[0] < broken[1] < broken[2]


def test_the_two_branches_are_deep_sets_and_an_mlp(build: Build, molecules: Molecules) -> None:
    model = build("residual_pathway", "model.free=0.3")
    deep_sets, mlp = build("deep_sets"), build("mlp")
    own = model.state_dict()
    deep_sets.load_state_dict({name: value for name, value in own.items() if not name.startswith("free_branch.")})
    mlp.load_state_dict(model.free_branch.state_dict())
    assert torch.allclose(model(molecules), deep_sets(molecules) + 0.3 * mlp(molecules))


def test_walks_on_a_ring_are_those_of_the_closed_form() -> None:
    steps, n = 7, 6
    bonds = pack_smiles(["C1CCCCC1"], "implicit").bonds
    walks = walk_probabilities(bonds, steps, torch.float64)[0]
    angles = 2 * torch.pi * torch.arange(n, dtype=torch.float64) / n
    for step in range(steps):  # a circulant matrix has the eigenvalues cos(angle)^step
        expected = torch.stack([(angles.cos() ** step * (angles * hops).cos()).mean() for hops in range(n)])
        assert torch.allclose(walks[0, :, step], expected, atol=1e-12)


def test_a_walk_stays_among_the_atoms_and_loses_nothing() -> None:
    molecules = pack_smiles(["CC(C)(C)O", "C"], "implicit")
    walks = walk_probabilities(molecules.bonds, 5, torch.float64)
    assert torch.allclose(walks[0].sum(-2), torch.ones(5, 5, dtype=torch.float64))
    assert walks[1, 0, 0].tolist() == [1, 0, 0, 0, 0]  # methane's carbon has nowhere to go
    assert not walks[0, 1, 1, 1::2].any()  # a tree is bipartite: no walk comes home after an odd number of steps


@pytest.mark.parametrize("hops", ["null", "2"])
def test_walks_tell_pairs_that_hops_do_not(hops: str, options: Callable[..., object]) -> None:
    # Prismane and a ring of six: every atom has neighbours alike, but walks return to it more often in the one.
    molecules = pack_smiles(["C12C3C1C1C2C31", "C1CCCCC1"], "implicit")
    given = options("graph_transformer", f"model.max_hops={hops}", "model.random_walk=6")
    kinds = GraphTransformer.tell_pairs(molecules, given)
    assert len(kinds[0].diagonal().unique()) == len(kinds[1].diagonal().unique()) == 1
    assert kinds[0, 0, 0] != kinds[1, 0, 0]
    order = torch.randperm(6)
    assert torch.equal(GraphTransformer.tell_pairs(molecules.relabel(order), given), kinds[:, order][:, :, order])
