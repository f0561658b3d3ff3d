from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.pack import count_elements
from ibbench.data.splits import split_dataset
from ibbench.data.statistics import atom_statistics
from ibbench.data.targets import QM9_TARGETS
from ibbench.options.config import Config
from ibbench.training.metrics import mean_absolute_error, measure
from ibbench.training.replicas import Replica
from ibbench.training.scaling import ELEMENTS, TargetScaling
from ibbench.training.truth import Truth


@pytest.fixture(scope="module")
def subsets(qm9: DataSet, config: Callable[..., Config]) -> torch.Tensor:
    split = split_dataset(qm9, config("data.train_size=5000").data)
    return split.train_subset(0).expand(len(QM9_TARGETS), -1)


@pytest.fixture(scope="module")
def truth(qm9: DataSet) -> Truth:
    return Truth(qm9, [Replica(name, 0) for name in QM9_TARGETS])


@pytest.fixture(scope="module", params=["none", "composition"])
def scaling(truth: Truth, subsets: torch.Tensor, request: pytest.FixtureRequest) -> TargetScaling:
    return TargetScaling.fit(truth, subsets, request.param)


def _restored(scaling: TargetScaling, truth: Truth, index: torch.Tensor) -> torch.Tensor:
    explained = scaling.explained(truth.composition, index)
    return scaling.restore(_normalised(scaling, truth, index), truth.references(index), explained)


def _normalised(scaling: TargetScaling, truth: Truth, index: torch.Tensor) -> torch.Tensor:
    explained = scaling.explained(truth.composition, index)
    return scaling.normalise(truth.values(index), truth.references(index), explained)


def test_normalised_targets_are_standard_on_the_train_subset(
    scaling: TargetScaling, truth: Truth, subsets: torch.Tensor
) -> None:
    normalised = _normalised(scaling, truth, subsets).double()
    assert normalised.mean(1).abs().max() < 1e-4
    assert (normalised.std(1, correction=0) - 1).abs().max() < 1e-4


def test_restoring_undoes_normalising_for_every_target(scaling: TargetScaling, truth: Truth, qm9: DataSet) -> None:
    everything = torch.arange(len(qm9))
    values = truth.values(everything)
    error = (_restored(scaling, truth, everything) - values).abs()
    relative = torch.where(scaling.logarithmic[:, None], error / (1 + values), error)
    assert relative.max() < 1e-4


def test_references_are_a_function_of_the_chemical_formula(
    scaling: TargetScaling, truth: Truth, qm9: DataSet, qm9_explicit: DataSet
) -> None:
    index = torch.arange(0, len(qm9), 7)
    expected = truth.references(index)
    for dataset in (qm9, qm9_explicit):  # hydrogens count, be they atoms or not
        composition = count_elements(dataset.molecules.select(index), ELEMENTS, dataset.hydrogens)
        torch.testing.assert_close(scaling.references(composition), expected, rtol=1e-12, atol=0)
    names = list(QM9_TARGETS)
    atomisation = truth.values(index)[names.index("u0_atom")]
    total = truth.values(index)[names.index("u0")]
    torch.testing.assert_close(total - expected[names.index("u0")], atomisation, rtol=0, atol=1e-6)
    assert not expected[names.index("gap")].any()


def test_total_energies_keep_their_chemistry_in_float32(scaling: TargetScaling, truth: Truth, qm9: DataSet) -> None:
    # float32 itself has a spacing of 1 meV at 11,000 eV; against atom references the rounding is far smaller.
    index = torch.arange(0, len(qm9), 7)
    values = truth.values(index)
    rows = [list(QM9_TARGETS).index(name) for name in ("u0", "u", "h", "g")]
    restored = _restored(scaling, truth, index)
    assert (restored - values)[rows].abs().max() < 1e-4
    naive = (values[rows] - values[rows].float().double()).abs()
    assert naive.max() > 4e-4


def test_total_energies_are_trained_like_atomisation_energies(
    scaling: TargetScaling, truth: Truth, subsets: torch.Tensor
) -> None:
    normalised = _normalised(scaling, truth, subsets)
    names = list(QM9_TARGETS)
    for total in ("u0", "u", "h", "g"):
        one, other = normalised[names.index(total)], normalised[names.index(f"{total}_atom")]
        assert torch.allclose(one, other, atol=1e-5)


def test_atom_statistics_are_those_of_the_real_atoms(qm9: DataSet, subsets: torch.Tensor) -> None:
    molecules = qm9.molecules.select(subsets[0])
    mean, scale = atom_statistics(molecules)
    atoms = molecules.atoms[molecules.mask].double()
    assert torch.allclose(mean.double(), atoms.mean(0), atol=1e-6)
    spread = atoms.std(0, correction=0)
    assert torch.allclose(scale.double(), torch.where(spread > 0, spread, 1.0), atol=1e-5)
    assert scale[0] == 1  # no hydrogen atoms here


def test_atom_statistics_have_the_same_digits_in_chunks(
    qm9: DataSet, subsets: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    molecules = qm9.molecules.select(subsets[0])
    whole = atom_statistics(molecules)
    at_once = molecules.atoms[molecules.mask].float().mean(0, dtype=torch.float64).float()
    assert torch.equal(whole[0], at_once)
    monkeypatch.setattr("ibbench.data.statistics._CHUNK", 7)
    assert all(map(torch.equal, atom_statistics(molecules), whole))


def test_a_million_molecules_of_qm9_fit_into_two_gigabytes(qm9: DataSet) -> None:
    tensors = (*qm9.molecules, qm9.values, qm9.ids, qm9.groups)
    texts = 100  # bytes of a SMILES as an object of Python, and its place in a list
    assert sum(tensor.nbytes for tensor in tensors) / len(qm9) + texts < 1000
    assert {tensor.dtype for tensor in qm9.molecules} == {torch.uint8, torch.bool, torch.float32}


def test_metrics_of_known_predictions() -> None:
    truth = torch.tensor([0.0, 1.0, 2.0, 5.0], dtype=torch.float64)
    metrics = measure(truth + torch.tensor([1.0, -1.0, 3.0, -1.0]), truth)
    assert metrics.mae == 1.5
    assert metrics.rmse == pytest.approx(3**0.5)
    assert metrics.r2 == pytest.approx(1 - 12 / 14)
    assert metrics.mae_over_std == pytest.approx(1.5 / 3.5**0.5)
    assert measure(truth.mean().expand(4), truth).r2 == pytest.approx(0)
    assert measure(truth, torch.ones(4, dtype=torch.float64)).r2 is None
    assert mean_absolute_error(truth.expand(2, -1), truth.expand(2, -1)).tolist() == [0, 0]
