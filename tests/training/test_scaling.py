from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.data.targets import QM9_TARGETS
from ibbench.options.config import Config
from ibbench.training.metrics import mean_absolute_error, measure
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling, atom_statistics


@pytest.fixture(scope="module")
def subsets(qm9: DataSet, config: Callable[..., Config]) -> torch.Tensor:
    split = split_dataset(qm9, config("data.train_size=5000").data)
    return split.train_subset(0).expand(len(QM9_TARGETS), -1)


@pytest.fixture(scope="module")
def scaling(qm9: DataSet, subsets: torch.Tensor) -> TargetScaling:
    return TargetScaling(qm9, [Replica(name, 0) for name in QM9_TARGETS], subsets)


def test_normalised_targets_are_standard_on_the_train_subset(scaling: TargetScaling, subsets: torch.Tensor) -> None:
    normalised = scaling.normalise(subsets).double()
    assert normalised.mean(1).abs().max() < 1e-4
    assert (normalised.std(1, correction=0) - 1).abs().max() < 1e-4


def test_restoring_undoes_normalising_for_every_target(scaling: TargetScaling, qm9: DataSet) -> None:
    everything = torch.arange(len(qm9))
    restored = scaling.restore(scaling.normalise(everything), everything)
    error = (restored - scaling.values(everything)).abs()
    scale = torch.tensor([1 if target.logarithmic else 0 for target in QM9_TARGETS.values()])[:, None]
    relative = torch.where(scale > 0, error / (1 + scaling.values(everything)), error)
    assert relative.max() < 1e-4


def test_total_energies_keep_their_chemistry_in_float32(scaling: TargetScaling, qm9: DataSet) -> None:
    # float32 itself has a spacing of 1 meV at 11,000 eV; against atom references the rounding is far smaller.
    index = torch.arange(0, len(qm9), 7)
    rows = [list(QM9_TARGETS).index(name) for name in ("u0", "u", "h", "g")]
    error = (scaling.restore(scaling.normalise(index), index) - scaling.values(index))[rows].abs()
    assert error.max() < 1e-4
    naive = (scaling.values(index)[rows] - scaling.values(index)[rows].float().double()).abs()
    assert naive.max() > 4e-4


def test_total_energies_are_trained_like_atomisation_energies(scaling: TargetScaling, subsets: torch.Tensor) -> None:
    normalised = scaling.normalise(subsets)
    names = list(QM9_TARGETS)
    for total in ("u0", "u", "h", "g"):
        one, other = normalised[names.index(total)], normalised[names.index(f"{total}_atom")]
        assert torch.allclose(one, other, atol=1e-5)


def test_atom_statistics_are_those_of_the_real_atoms(qm9: DataSet, subsets: torch.Tensor) -> None:
    mean, scale = atom_statistics(qm9, subsets[0])
    molecules = qm9.molecules.select(subsets[0])
    atoms = molecules.atoms[molecules.mask].double()
    assert torch.allclose(mean.double(), atoms.mean(0), atol=1e-6)
    spread = atoms.std(0, correction=0)
    assert torch.allclose(scale.double(), torch.where(spread > 0, spread, 1.0), atol=1e-5)
    assert scale[0] == 1  # no hydrogen atoms here


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
