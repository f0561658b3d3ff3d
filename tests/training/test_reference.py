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
from ibbench.training.reference import share_foretold
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling, Truth


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
    assert share_foretold(features[:1], noise[:1]) == 0


@pytest.mark.parametrize("train_size", [300, 5000])
def test_sizes_are_subtracted_and_electronic_levels_are_not(
    train_size: int, qm9: DataSet, config: Callable[..., Config]
) -> None:
    names = [name for name in QM9_TARGETS if name not in {"a", "b", "c"}]
    split = split_dataset(qm9, config(f"data.train_size={train_size}").data)
    for seed in range(5):
        truth = Truth(qm9, [Replica(name, seed) for name in names])
        subsets = split.train_subset(seed).expand(len(names), -1)
        slopes = TargetScaling.fit(truth, subsets, "auto").slope_per_element
        subtracted = {name for name, row in zip(names, slopes, strict=True) if row.any()}
        energies = {"u0", "u", "h", "g", "u0_atom", "u_atom", "h_atom", "g_atom"}
        assert subtracted == {*energies, "alpha", "zpve", "cv"}


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
