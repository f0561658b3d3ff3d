"""Labels that are altered on purpose: train molecules only, by seed and molecule, and never the truth."""

from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.options.config import Config
from ibbench.run.baselines import measure_baselines
from ibbench.training.labels import altered_labels, given_labels
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
REPLICAS = [Replica("gap", 0), Replica("gap", 1), Replica("u0", 0)]


def _given(task: Task, config: Config, replicas: list[Replica], size: int = 200) -> torch.Tensor:
    return given_labels(task.truth, task.split.take(size), replicas, config.data)


def test_noise_has_the_deviation_that_was_asked_for(start: Start) -> None:
    config, task, _ = start("data.train_size=20000", "data.label_noise=0.5", "targets=[gap]", "seeds=[0]")
    noise = task.given - task.truth.values(task.subsets)
    spread = task.truth.values(task.split.train_pool).std()
    assert noise.std() / spread == pytest.approx(0.5, rel=0.02)  # 20,000 draws: to a half per cent
    assert abs(noise.mean() / spread) < 0.015
    assert config.data.label_noise == 0.5


def test_noise_depends_on_seed_target_and_molecule_alone(start: Start) -> None:
    config, task, _ = start("data.label_noise=0.3", "targets=[gap,mu]", "seeds=[0,1]")
    noise = task.given - task.truth.values(task.subsets)
    for row, (target, seed) in enumerate(task.replicas):
        _, alone, _ = start("data.label_noise=0.3", f"targets=[{target}]", f"seeds=[{seed}]", "data.train_size=50")
        first = alone.given - alone.truth.values(alone.subsets)
        torch.testing.assert_close(first[0], noise[row, :50])  # train subsets are nested
    assert not torch.allclose(noise[0], noise[1])
    of_same = noise[:2].sort(1).values  # another target's noise is not the same noise in another unit
    assert not torch.allclose(of_same[0] / of_same[0].std(), of_same[1] / of_same[1].std())
    assert config.targets == ("gap", "mu")


def test_validation_and_test_keep_the_truth_and_labels_are_those_given(start: Start, qm9: DataSet) -> None:
    for option in ("data.label_noise=0.5", "data.labels=shuffled"):
        _, task, _ = start(option)
        for index in (task.split.validation, task.split.test):
            column = qm9.column("gap")
            assert torch.equal(task.truth.values(index)[0], qm9.values[index, column])
        assert abs(float(task.labels.mean())) < 1e-5  # standardised by the statistics of what was given
        assert float(task.labels.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_shuffled_labels_are_a_permutation_drawn_by_the_seed(start: Start) -> None:
    _, task, _ = start("data.labels=shuffled")
    truth = task.truth.values(task.subsets)
    torch.testing.assert_close(task.given.sort(1).values, truth.sort(1).values)
    assert ((task.given - truth).abs() > 1e-9).double().mean() > 0.9
    _, alone, _ = start("data.labels=shuffled", "seeds=[1]")
    assert torch.equal(alone.given[0], task.given[1])


def test_shuffled_total_energies_keep_their_free_atoms(start: Start) -> None:
    config, task, _ = start("data.labels=shuffled", "targets=[u0,u0_atom]", "seeds=[0]")
    total, atomisation = task.given
    references = task.truth.references(task.subsets)[0]
    torch.testing.assert_close(total - references, atomisation, rtol=0, atol=1e-5)
    assert config.data.labels == "shuffled"


def test_baselines_are_fitted_to_the_labels_that_models_get(start: Start, qm9: DataSet) -> None:
    config, task, _ = start("data.label_noise=0.5")
    assert altered_labels(qm9, task.split, task.replicas, start()[0].data) is None
    given = altered_labels(qm9, task.split, task.replicas, config.data)
    assert given is not None
    before = qm9.values.clone()
    mean = measure_baselines(qm9, task.split, task.replicas, given=given)[0]
    assert torch.equal(qm9.values, before)
    for row, entry in enumerate(mean.entry.replicas):
        assert float(mean.prediction[row, 0]) == pytest.approx(float(given[row].mean()))
        truth = qm9.values[task.split.test, qm9.column("gap")]
        assert entry.test.mae == pytest.approx(float((given[row].mean() - truth).abs().mean()))
        assert entry.train.mae == pytest.approx(float((given[row].mean() - given[row]).abs().mean()))


def test_labels_that_are_not_centred_keep_their_mean(start: Start) -> None:
    _, task, _ = start("data.centre=false", "reference=none")
    usual = task.truth.values(task.subsets)
    shifted = usual / usual.std(1, keepdim=True, correction=0)
    torch.testing.assert_close(task.labels.double(), shifted, rtol=1e-5, atol=1e-5)
    assert (task.labels.mean(1) > 4).all()  # the mean gap is several of its deviations above 0
    zero = task.scaling.explained(task.truth.composition, task.split.test)
    assert not zero.any()


def test_inputs_that_are_not_standardised_are_counts(start: Start) -> None:
    _, task, state = start("data.standardise=false", "model=mlp")
    assert not state.models.buffers["atom_mean"].any()
    assert (state.models.buffers["atom_scale"] == 1).all()
    assert task.molecules.atoms.max() > 5  # atomic numbers, as they are
