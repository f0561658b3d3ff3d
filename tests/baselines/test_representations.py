import numpy as np
import pytest
from rdkit import Chem

from ibbench.baselines.representations import Shown, get_representation, representation_names
from ibbench.baselines.representations.coulomb import BOHR
from ibbench.data.dataset import DataSet

IN_SPACE = [name for name in representation_names() if get_representation(name).reads == "geometry"]
FROM_TEXT = [name for name in representation_names() if get_representation(name).reads == "smiles"]
NOWHERE = np.empty((0, 0)), np.empty((0, 0, 0))


def _some(dataset: DataSet, count: int = 40) -> Shown:
    molecules = dataset.molecules
    return Shown([], molecules.atoms[-count:, :, 5].numpy(), molecules.positions[-count:].numpy())


def test_the_coulomb_matrix_of_water_is_that_of_the_formula() -> None:
    numbers = np.array([[1, 8, 1, 0]], dtype=np.uint8)
    positions = np.array([[[0.96, 0, 0], [0, 0, 0], [-0.24, 0.93, 0], [0, 0, 0]]], dtype=np.float32)
    found = get_representation("coulomb")({"atoms": 4}).compute(Shown([], numbers, positions))[0]
    oh, hh = 8 / (0.96 / BOHR), 1 / (np.hypot(1.2, 0.93) / BOHR)
    other = 8 / (np.hypot(0.24, 0.93) / BOHR)
    near, far = max(oh, other), min(oh, other)
    expected = [0.5 * 8**2.4, near, 0.5, far, hh, 0.5, 0, 0, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", IN_SPACE)
def test_what_is_computed_in_space_knows_no_order_place_or_turn(name: str, qm9_explicit: DataSet) -> None:
    kind = get_representation(name)
    made, shown = kind(kind.measure(qm9_explicit)), _some(qm9_explicit)
    random = np.random.RandomState(0)
    order = random.permutation(shown.numbers.shape[1])
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    moved = np.where(shown.numbers[..., None] > 0, shown.positions @ turn + [1.0, -2.0, 3.0], 0)
    vectors = made.compute(shown)
    assert not made.find_too_large(shown).any()
    assert len(np.unique(vectors, axis=0)) == len(vectors)
    again = made.compute(Shown([], shown.numbers[:, order], moved[:, order]))
    np.testing.assert_allclose(again, vectors, rtol=2e-4, atol=2e-3)


@pytest.mark.parametrize("name", IN_SPACE)
def test_a_molecule_that_does_not_fit_is_found(name: str, qm9_explicit: DataSet) -> None:
    kind = get_representation(name)
    made, shown = kind(kind.measure(qm9_explicit)), _some(qm9_explicit, 2)
    twice = Shown([], np.tile(shown.numbers, (1, 2)), np.tile(shown.positions, (1, 2, 1)))
    assert made.find_too_large(twice).all()
    bromine = Shown([], np.where(shown.numbers == 6, 35, shown.numbers), shown.positions)
    assert made.find_too_large(bromine).all() == (name == "bag_of_bonds")  # the others have no columns by element


@pytest.mark.parametrize("name", FROM_TEXT)
def test_a_molecule_has_one_vector_however_it_is_spelled(name: str, qm9: DataSet) -> None:
    made = get_representation(name)({})
    texts = [qm9.smiles[place] for place in range(1000, 130_000, 30_000)]
    others = [Chem.MolToSmiles(Chem.MolFromSmiles(text), doRandom=True) for text in texts]
    assert texts != others
    ours, theirs = (made.compute(Shown(spelled, *NOWHERE)) for spelled in (texts, others))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert np.isfinite(ours).all()
    assert made.compute(Shown(["C"], *NOWHERE)).shape == (1, ours.shape[1])


def test_morgan_counts_neighbourhoods() -> None:
    methane, neopentane = get_representation("morgan")({}).compute(Shown(["C", "CC(C)(C)C"], *NOWHERE))
    assert methane.sum() == 1
    assert neopentane.max() == 4  # the four methyl groups
    assert neopentane.dtype == np.uint8
