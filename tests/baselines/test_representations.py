import numpy as np
import pytest
import torch
from rdkit import Chem

from ibbench.baselines.representations import Shown, get_representation, representation_names
from ibbench.baselines.representations.coulomb import BOHR
from ibbench.data.dataset import DataSet

IN_SPACE = [name for name in representation_names() if get_representation(name).reads == "geometry"]
FROM_TEXT = [name for name in representation_names() if get_representation(name).reads == "smiles"]


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
    assert made.find_too_large(twice).all() == (name != "hdad")  # which has columns for any number of atoms
    bromine = Shown([], np.where(shown.numbers == 6, 35, shown.numbers), shown.positions)
    assert made.find_too_large(bromine).all() == (name != "coulomb")  # which has no columns by element


@pytest.mark.parametrize("name", FROM_TEXT)
def test_a_molecule_has_one_vector_however_it_is_spelled(name: str, qm9: DataSet) -> None:
    made = get_representation(name)({})
    texts = [qm9.smiles[place] for place in range(1000, 130_000, 30_000)]
    others = [Chem.MolToSmiles(Chem.MolFromSmiles(text), doRandom=True) for text in texts]
    assert texts != others
    ours, theirs = (made.compute(Shown(spelled)) for spelled in (texts, others))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert np.isfinite(ours).all()
    assert made.compute(Shown(["C"])).shape == (1, ours.shape[1])


def test_histograms_of_water_are_those_of_its_geometry() -> None:
    numbers = np.array([[1, 8, 1, 0]], dtype=np.uint8)
    bent = np.radians(104.5)
    positions = np.array([[[1, 0, 0], [0, 0, 0], [np.cos(bent), np.sin(bent), 0], [0, 0, 0]]], dtype=np.float32)
    (found,) = get_representation("hdad")({"elements": [1, 8]}).compute(Shown([], numbers, positions))
    places = 61  # of a distance, every 0.2 angstrom to 12; H-H, H-O, O-O
    assert found[places + 5] == pytest.approx(2, abs=1e-4)  # two of 1 angstrom
    apart = 2 * np.sin(bent / 2) / 0.2
    between = found[int(apart) : int(apart) + 2]
    np.testing.assert_allclose(between, [1 - apart % 1, apart % 1], atol=1e-4)
    assert found[: 3 * places].sum() == pytest.approx(3, abs=1e-4)
    angle = found[3 * places + 8 : 3 * places + 10]  # H-O-H is the first kind; 104.5 lies between 96 and 108
    np.testing.assert_allclose(angle, [3.5 / 12, 8.5 / 12], atol=1e-4)
    assert found.sum() == pytest.approx(4, abs=1e-4)  # no chain of four atoms


@pytest.mark.parametrize("turned", [0.0, 60.0, -60.0, 180.0])
def test_a_dihedral_angle_is_that_between_the_ends(turned: float) -> None:
    turn = np.radians(turned)
    chain = [[-0.5, 0.9, 0], [0, 0, 0], [1.45, 0, 0], [1.95, 0.9 * np.cos(turn), 0.9 * np.sin(turn)]]
    shown = Shown([], np.array([[1, 8, 8, 1]], dtype=np.uint8), np.array([chain], dtype=np.float32))
    (found,) = get_representation("hdad")({"elements": [1, 8]}).compute(shown)
    dihedrals = found[3 * 61 + 3 * 16 :]  # H-O-H, H-O-O and O-O-O stand before
    assert dihedrals.sum() == pytest.approx(1, abs=1e-4)
    assert dihedrals.reshape(-1, 7).sum(0)[int(abs(turned) / 30)] == pytest.approx(1, abs=1e-3)


def test_histograms_change_as_little_as_the_geometry(qm9_explicit: DataSet) -> None:
    kind = get_representation("hdad")
    made, shown = kind(kind.measure(qm9_explicit)), _some(qm9_explicit)
    moved = shown.positions + 1e-4 * np.random.RandomState(0).standard_normal(shown.positions.shape).astype(np.float32)
    change = np.abs(made.compute(shown._replace(positions=moved)) - made.compute(shown)).sum(1)
    assert (change < 1).all()


def test_the_flat_molecule_holds_what_the_graph_holds(qm9: DataSet) -> None:
    kind = get_representation("flat")
    made = kind(kind.measure(qm9))
    graphs = qm9.molecules.select(torch.tensor([5, 100_000]))
    vectors = made.compute(Shown([], atoms=graphs.atoms.numpy(), bonds=graphs.bonds.numpy()))
    features = qm9.molecules.padding.num_atoms * qm9.molecules.padding.num_features
    assert (vectors[:, :features].reshape(graphs.atoms.shape) == graphs.atoms.numpy()).all()
    assert (vectors[:, features:].sum(1) == (graphs.bonds > 0).sum((1, 2)).numpy() // 2).all()
    padded = Shown([], atoms=np.pad(graphs.atoms.numpy(), ((0, 0), (0, 3), (0, 0))),
                   bonds=np.pad(graphs.bonds.numpy(), ((0, 0), (0, 3), (0, 3))))  # fmt: skip
    assert (made.compute(padded) == vectors).all()
    assert not made.find_too_large(padded).any()


def test_morgan_counts_neighbourhoods() -> None:
    methane, neopentane = get_representation("morgan")({}).compute(Shown(["C", "CC(C)(C)C"]))
    assert methane.sum() == 1
    assert neopentane.max() == 4  # the four methyl groups
    assert neopentane.dtype == np.uint8
