"""The symmetry error of functions whose symmetries are known by hand."""

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.molecules import Molecules
from ibbench.data.tokens import tokenize
from ibbench.models.registry import Symmetry
from ibbench.probes.symmetry import respell, share_of_variance, symmetry_error, transform


@pytest.fixture(scope="module")
def molecules(qm9: DataSet) -> Molecules:
    """512 molecules in float64, some of them chiral."""
    batch = qm9.molecules.select(torch.arange(60_000, 60_512))
    return batch._replace(atoms=batch.atoms.double(), positions=batch.positions.double())


def _first_coordinate(molecules: Molecules) -> Tensor:
    return molecules.positions[:, 0, 0]


def _handedness(molecules: Molecules) -> Tensor:
    """Return the signed volume that the first four atoms span."""
    origin, *others = molecules.positions[:, :4].unbind(1)
    return torch.linalg.det(torch.stack([other - origin for other in others], dim=1))


def _first_number(molecules: Molecules) -> Tensor:
    return molecules.atoms[:, 0, 5]


def _sum_of_numbers(molecules: Molecules) -> Tensor:
    return (molecules.atoms[..., 5] * molecules.mask).sum(1)


def _first_token(molecules: Molecules) -> Tensor:
    return molecules.tokens[:, 0].double()


@pytest.mark.parametrize(
    ("function", "broken"),
    [
        (_first_coordinate, {"permutation", "rotation", "translation", "reflection"}),
        (_handedness, {"permutation", "reflection"}),
        (_first_number, {"permutation"}),
        (_sum_of_numbers, set()),
        (_first_token, {"translation along the string"}),
    ],
)
@pytest.mark.parametrize("symmetry", get_args(Symmetry))
def test_only_the_symmetries_that_a_function_lacks_are_broken(
    function: Callable[[Molecules], Tensor], broken: set[str], symmetry: Symmetry, molecules: Molecules
) -> None:
    error = symmetry_error(function, molecules, symmetry, seed=0)
    assert error.relative > 0.1 if symmetry in broken else error.largest < 1e-9


def test_a_mirror_turns_the_handedness_around(molecules: Molecules) -> None:
    error = symmetry_error(_handedness, molecules, "reflection", seed=1)
    volume = _handedness(molecules)
    assert error.largest == pytest.approx(2 * volume.abs().max().item())
    assert error.change == pytest.approx(2 * volume.square().mean().sqrt().item())
    assert error.spread == pytest.approx(volume.std(correction=0).item())
    assert error.relative == error.change / error.spread


def test_a_constant_has_every_symmetry(molecules: Molecules) -> None:
    error = symmetry_error(lambda batch: torch.ones(len(batch.mask)), molecules, "permutation", seed=0)
    assert (error.largest, error.spread, error.relative) == (0, 0, 0)


def test_rotations_are_equally_likely_in_all_directions(molecules: Molecules) -> None:
    """The square of a coordinate of a vector of length 1 has the mean 1/3 and the variance 4/45."""
    east = torch.zeros_like(molecules.positions)
    east[..., 0] = 1
    turned = transform(molecules._replace(positions=east), "rotation", seed=2).positions[:, 0]
    assert torch.allclose(turned.norm(dim=-1), torch.ones(512, dtype=torch.float64))
    assert (turned.mean(0).abs() < 4 * math.sqrt(1 / 3 / 512)).all()
    assert ((turned.square().mean(0) - 1 / 3).abs() < 4 * math.sqrt(4 / 45 / 512)).all()


@pytest.mark.parametrize("symmetry", get_args(Symmetry))
def test_a_seed_draws_the_same_transformations_again(symmetry: Symmetry, molecules: Molecules) -> None:
    one, again, other = (transform(molecules, symmetry, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first, second) for first, second in zip(one, again, strict=True))
    assert any(
        first.shape != second.shape or not torch.equal(first, second) for first, second in zip(one, other, strict=True)
    )
    padding = ~molecules.mask
    assert not one.positions[padding].any()
    assert not one.atoms[padding].any()


def test_the_variance_of_a_linear_function_over_orders_and_rotations_is_that_known(molecules: Molecules) -> None:
    """Over S_n that of w . x is |w - mean|^2 |x - mean|^2 / (n - 1); over SO(3) that of <W, X> is |W^T X|^2 / 3."""
    full = molecules.select(molecules.mask.all(1).nonzero().flatten()[:200])
    weights = torch.randn(full.mask.shape[1], dtype=torch.float64)
    numbers = full.atoms[..., 5]
    spread = (numbers - numbers.mean(1, keepdim=True)).square().sum(1)
    expected = (weights - weights.mean()).square().sum() * spread / (len(weights) - 1)
    moved = torch.stack([transform(full, "permutation", seed).atoms[..., 5] @ weights for seed in range(300)])
    predictions = numbers @ weights
    assert share_of_variance(moved, predictions) == pytest.approx(float(expected.mean() / predictions.var()), rel=0.02)

    vectors = torch.randn(full.mask.shape[1], 3, dtype=torch.float64)
    products = torch.einsum("na,bnc->bac", vectors, full.positions)
    moved = torch.stack([(transform(full, "rotation", seed).positions * vectors).sum((1, 2)) for seed in range(300)])
    predictions = (full.positions * vectors).sum((1, 2))
    expected = products.square().sum((1, 2)).mean() / 3
    assert share_of_variance(moved, predictions) == pytest.approx(float(expected / predictions.var()), rel=0.02)


def test_other_spellings_are_of_the_same_molecules() -> None:
    from rdkit import Chem

    smiles = ["CC(=O)Nc1ccc(O)cc1", "C1CC1C1(CO1)C1CC1", "C"]
    spelled = respell(smiles, seed=0)
    assert torch.equal(spelled, respell(smiles, seed=0))
    assert not torch.equal(spelled[0, :10], torch.from_numpy(tokenize(smiles))[0, :10])
    again = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles[0]), 1, randomSeed=1)[0]
    assert torch.equal(torch.from_numpy(tokenize([again]))[0], spelled[0, : len(again)])
    assert Chem.CanonSmiles(again) == Chem.CanonSmiles(smiles[0])


def test_a_share_is_zero_for_what_does_not_move() -> None:
    assert share_of_variance(torch.ones(8, 5), torch.ones(5)) == 0
    assert share_of_variance(torch.ones(8, 1) * torch.arange(5.0), torch.arange(5.0)) == 0
