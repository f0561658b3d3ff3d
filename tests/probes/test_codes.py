"""Probes of codes: closed cases of their mathematics, and a trained autoencoder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER, NUM_HYDROGENS
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.probes.anomaly import auroc, auroc_at_equal
from ibbench.probes.latent import CODE, PCA, SAVED, _saved
from ibbench.probes.subject.candidate import plan_candidates
from ibbench.probes.subject.code import lay_out, ridge
from ibbench.probes.subject.measure import measure
from ibbench.probes.subject.outside import outside_molecules
from ibbench.run.execute import execute
from ibbench.run.plan import plan


def test_ridge_finds_a_line_and_does_not_believe_noise() -> None:
    random = np.random.default_rng(0)
    vectors, asked = random.standard_normal((2, 300, 5))
    labels = vectors @ np.arange(5.0) + 3
    assert ridge(vectors, labels, asked) == pytest.approx(asked @ np.arange(5.0) + 3, rel=1e-2)
    noise = random.standard_normal(40) + 7
    wide, others = random.standard_normal((2, 40, 100))
    assert np.abs(ridge(wide, noise, others) - 7).mean() < 0.5  # near the mean, and not as far as the noise


def test_ridge_is_that_of_scikit_learn_with_the_same_penalties() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(1)
    vectors, asked = random.standard_normal((2, 30, 20))
    labels = vectors[:, 0] + random.standard_normal(30)
    centred = vectors - vectors.mean(0)
    penalties = np.geomspace(1e-5, 1e3, 17) * (centred**2).sum()
    theirs = linear.RidgeCV(penalties, scoring="neg_mean_absolute_error").fit(vectors, labels)
    assert ridge(vectors, labels, asked) == pytest.approx(theirs.predict(asked), rel=1e-6, abs=1e-8)


def test_labels_saved_are_read_off_the_other_curve() -> None:
    sizes, inputs = np.array([50.0, 100, 200, 400]), np.array([8.0, 4, 2, 1])
    assert _saved(sizes, inputs, inputs) == pytest.approx([1, 1, 1, 1])
    assert _saved(sizes, inputs / 2, inputs)[:3] == pytest.approx([2, 2, 2])
    # Beyond the sizes that were tried: at least the largest, at most the smallest.
    assert _saved(sizes, np.array([0.1, 99, 2, 2]), inputs) == pytest.approx([8, 0.5, 1, 0.5])


def test_auroc_is_that_of_scikit_learn_with_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    inside, outside = random.integers(0, 5, 40).astype(float), random.integers(1, 7, 30).astype(float)
    truth = np.repeat([0, 1], [40, 30])
    assert auroc(inside, outside) == pytest.approx(metrics.roc_auc_score(truth, np.concatenate([inside, outside])))


def test_a_score_that_is_size_alone_says_nothing_at_equal_size() -> None:
    small, large = np.array([9, 9, 9, 8, 7]), np.array([3, 4, 8, 9])
    assert auroc(small.astype(float), large.astype(float)) < 0.3
    assert auroc_at_equal(small.astype(float), large.astype(float), small, large) == 0.5
    assert np.isnan(auroc_at_equal(np.ones(1), np.ones(1), np.array([1]), np.array([2])))


def test_other_probes_say_which_probes_there_are(config: Callable[..., Config]) -> None:
    options = ("experiment=tiny", "model=autoencoder", "targets=[molecule]", "seeds=[0]")
    with pytest.raises(InputError, match="expected --probe anomaly,latent --at trained"):
        measure(plan_candidates([config(*options)]), ["kernel"], ["init"], 20, lambda _: None)


@pytest.mark.slow
def test_molecules_from_outside_are_no_molecules_of_the_data(qm9: DataSet) -> None:
    pytest.importorskip("chemicals")
    molecules = outside_molecules(qm9)
    assert molecules.padding.num_atoms == qm9.molecules.padding.num_atoms
    assert len(molecules.mask) > 500
    numbers = molecules.atoms[..., ATOMIC_NUMBER]
    assert (numbers == 17).any()  # such as chloroform
    methane = (molecules.mask.sum(1) == 1) & (numbers.sum(1) == 6) & (molecules.atoms[..., NUM_HYDROGENS].sum(1) == 4)
    assert not methane.any()  # which QM9 has


@pytest.mark.slow
def test_a_trained_code_has_figures_and_a_map(config: Callable[..., Config], tmp_path: Path) -> None:
    pytest.importorskip("chemicals")
    options = (
        "experiment=tiny", "model=autoencoder", "targets=[molecule]", "seeds=[0]", "data.train_size=120",
        "model.latent=3", f"results_dir={tmp_path}",
    )  # fmt: skip
    execute(plan(config(*options)))
    candidates = plan_candidates([config(*options)])
    table = measure(candidates, ["latent", "anomaly"], ["init", "trained"], 120, lambda _: None).table
    latent = table[table["probe"] == "latent"]
    assert set(latent["part"]) == {"50 labels", "100 labels"}
    assert set(latent["at"]) == {"init", "trained"}
    of_pca = latent[latent["quantity"] == PCA].groupby(["target", "part"])["value"].nunique()
    assert (of_pca == 1).all()  # no weights matter
    assert (latent[latent["quantity"].isin([CODE, SAVED])]["value"] > 0).all()
    scores = table[(table["probe"] == "anomaly") & table["quantity"].str.startswith("AUROC")]["value"]
    assert scores.between(0, 1).all()
    (one,) = lay_out(candidates, 50)
    assert (one.plane.shape, one.values.shape, one.target) == ((50, 2), (50,), "gap")
    assert torch.isfinite(torch.tensor(one.plane)).all()
