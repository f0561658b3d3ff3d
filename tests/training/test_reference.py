"""The part of a target that the composition explains is subtracted where there is much of it, from all models alike."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.baselines.composition import fit_ridge, leave_one_out
from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.data.targets import QM9_TARGETS
from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.reference import fit_slopes, share_foretold
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling
from ibbench.training.truth import Truth


@pytest.fixture(scope="module")
def features(qm9: DataSet) -> torch.Tensor:
    counts, _ = qm9.composition()
    return torch.cat([counts.new_ones(len(counts), 1), counts], dim=1)


def test_leaving_one_out_is_what_fitting_without_it_gives(qm9: DataSet, features: torch.Tensor) -> None:
    some = torch.arange(1000, 1060)
    labels = qm9.values[some, qm9.column("alpha")]
    found = leave_one_out(features[some], labels)
    for at in range(0, 60, 7):
        rest = torch.cat([some[:at], some[at + 1 :]])
        weights = fit_ridge(features[rest], qm9.values[rest, qm9.column("alpha")])
        assert (labels[at] - features[some[at]] @ weights).item() == pytest.approx(found[at].item(), rel=1e-3)


def test_a_target_that_is_a_sum_over_atoms_is_foretold_and_noise_is_not(features: torch.Tensor) -> None:
    some = torch.arange(0, 100_000, 500)
    weights = torch.tensor([3.0, -1, 2, 5, 0.5, 7], dtype=torch.float64)
    assert share_foretold(features[some], features[some] @ weights) > 0.9999
    noise = torch.randn(len(some), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert share_foretold(features[some], noise) < 0.05
    assert share_foretold(features[some], torch.ones(len(some), dtype=torch.float64)) == 0
    assert share_foretold(features[:1], noise[:1]) <= 0
    assert share_foretold(features[:3], noise[:3]) < 1


def test_every_target_of_qm9_is_related_to_the_composition_and_noise_is_not(
    qm9: DataSet, features: torch.Tensor, config: Callable[..., Config]
) -> None:
    names = list(QM9_TARGETS)
    split = split_dataset(qm9, config("data.train_size=1000").data)
    truth = Truth(qm9, [Replica(name, 0) for name in names])
    subsets = split.train_subset(0).expand(len(names), -1)
    for reference, subtracted in (("auto", True), ("composition", True), ("none", False)):
        slopes = TargetScaling.fit(truth, subsets, reference).slope_per_element
        assert slopes.any(1).tolist() == [subtracted] * len(names)
    noise = torch.randn(200, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taken = [fit_slopes(features[subsets[0], 1:], one, "auto").any().item() for one in noise]
    # Five slopes predict noise better than its mean where chi2 with 5 degrees of freedom is above 10: in 7.5 %.
    assert 0.02 < sum(taken) / 200 < 0.15


@pytest.mark.parametrize("model", ["mlp", "gnn"])
def test_what_is_subtracted_comes_back(model: str, config: Callable[..., Config], tmp_path: Path) -> None:
    few = ("budget=null", "model.width=8", "data.train_size=200", "data.validation_size=100", "data.test_size=1000")
    options = (f"model={model}", *few, "trainer.steps=10", "targets=[zpve]", "seeds=[0]", f"results_dir={tmp_path}")
    record = execute(plan(config(*options)))
    assert record is not None
    composition = next(one for one in record.baselines if one.name == "composition")
    # Ten steps teach a model nothing: what it knows is what it was given back.
    assert record.replicas[0].test.mae < 2 * composition.replicas[0].test.mae
    other = execute(plan(config(*options, "reference=none")))
    assert other is not None
    assert other.replicas[0].test.mae > 4 * composition.replicas[0].test.mae
