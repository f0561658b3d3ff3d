"""Agreement of two models, where it is known."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ibbench.probes.agreement import CKA, GAIN, RANKS, SIGNED, Agreement, linear_cka
from ibbench.probes.subject.measure import average
from ibbench.probes.subject.pairs import Side
from tests.committed import ROOT

Command = Callable[..., object]


def _side(errors: np.ndarray, truth: np.ndarray) -> Side:
    return Side(truth, truth + errors, None, "eV")


@pytest.mark.parametrize("r", [-0.5, 0.0, 0.8])
def test_the_mean_of_two_gains_what_the_correlation_of_their_errors_leaves(r: float) -> None:
    """Gaussian errors of equal variance: the mean of both has the variance (1 + r) / 2 of one, and so has its MAE²."""
    draws = np.random.default_rng(0)
    one, other = draws.multivariate_normal([0, 0], [[1, r], [r, 1]], size=200_000).T
    truth = draws.normal(size=len(one))
    found = {finding.quantity: finding.value for finding in Agreement().compare(_side(one, truth), _side(other, truth))}
    assert found[SIGNED] == pytest.approx(r, abs=0.01)
    assert found[GAIN] / 100 == pytest.approx(1 - ((1 + r) / 2) ** 0.5, abs=0.01)
    assert found[RANKS] == pytest.approx(stats.spearmanr(abs(one), abs(other))[0])
    assert CKA not in found


def test_a_model_agrees_with_itself_and_gains_nothing() -> None:
    errors = np.random.default_rng(0).normal(size=100)
    side = _side(errors, np.zeros(100))
    found = {finding.quantity: finding.value for finding in Agreement().compare(side, side)}
    assert (found[RANKS], found[SIGNED], found[GAIN]) == pytest.approx((1, 1, 0))
    constant = _side(np.ones(100), np.zeros(100))
    assert {one.quantity: one.value for one in Agreement().compare(side, constant)}[RANKS] == 0


def test_alike_states_are_alike_however_they_are_turned_and_scaled() -> None:
    states = torch.randn(400, 5)
    turned = states @ torch.linalg.qr(torch.randn(5, 5))[0] * 7 + 3
    assert linear_cka(states, turned) == pytest.approx(1, abs=1e-6)
    whole = torch.linalg.qr(torch.cat([torch.ones(400, 1), torch.randn(400, 6)], dim=1))[0]  # uncorrelated columns
    assert linear_cka(whole[:, 1:4], whole[:, 4:]) == pytest.approx(0, abs=1e-10)
    # Of two columns of equal variance that are apart, one is shared: the product is 1 of sqrt(2 * 1).
    assert linear_cka(whole[:, 1:3], whole[:, 1:2]) == pytest.approx(1 / 2**0.5, abs=1e-6)
    assert linear_cka(states, torch.ones(400, 2)) == 0


def test_intervals_of_correlations_stay_below_one() -> None:
    common = {"target": "gap", "train_size": 10, "model": "gnn", "variant": "", "at": "trained", "probe": "agreement"}
    rows = [common | {"quantity": RANKS, "part": "", "unit": "", "seed": seed, "value": value}
            for seed, value in enumerate((0.5, 0.9))]  # fmt: skip
    (row,) = average(pd.DataFrame(rows)).to_dict("records")
    assert -1 < row["low"] < row["mean"] < row["high"] < 1


@pytest.mark.slow
def test_a_study_of_which_only_evidence_is_left_is_compared(ibbench: Command, tmp_path: Path) -> None:
    study = tmp_path / "results" / "quick"
    study.mkdir(parents=True)
    for name in ("evidence.zip", "study.json"):
        shutil.copy(ROOT / "results" / "quick" / name, study / name)
    run = ibbench("probe", str(study), "--probe", "agreement")
    assert run.returncode == 0, run.stderr
    assert "with itself, another seed" in run.stdout
    table = pd.read_csv(study / "probes.csv", keep_default_na=False)
    means = table[table["quantity"] == RANKS].groupby(["model", "part"])["value"].mean()
    assert means["gnn", "with itself, another seed"] > means["gnn", "with graph_transformer"] > 0.3
    assert means["mlp", "with deep_sets"] < 0.6
    assert (study / "probe_agreement.png").exists()
    refused = ibbench("probe", str(study), "--probe", "symmetry", "--at", "trained")
    assert refused.returncode == 2
    assert "which has no weights" in refused.stderr
