from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibbench.baselines import get_baseline, ignored_by, is_baseline
from ibbench.baselines.pairs import pair_names
from ibbench.baselines.pairs.pair import Pair, fit_pair
from ibbench.baselines.pairs.vectors import Vectors
from ibbench.compare.order import model_order
from ibbench.data.dataset import DataSet
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.data.splits import Split, split_dataset
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.config import Config
from ibbench.run.plan import plan

SIZES = ["data.train_size=150", "data.validation_size=20", "data.test_size=100"]


@pytest.fixture(scope="module")
def split(qm9: DataSet, config: Callable[..., Config]) -> Split:
    return split_dataset(qm9, config(*SIZES).data)


def test_pairs_stand_between_plain_baselines_and_models() -> None:
    names = sorted([*pair_names(), "mean", "composition", *model_names()], key=model_order)
    assert names[:2] == ["mean", "composition"]
    assert set(names[2 : 2 + len(pair_names())]) == set(pair_names())
    assert all(map(is_baseline, pair_names()))
    assert len(pair_names()) == 24
    compressed = ["morgan+ridge", "morgan:16+ridge", "morgan:4+ridge", "mean", "flat+ridge", "mlp"]
    expected = ["mean", "flat+ridge", "morgan:4+ridge", "morgan:16+ridge", "morgan+ridge", "mlp"]
    assert sorted(compressed, key=model_order) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("morgan+rigde", "`rigde` is not a regression: did you mean `ridge`"),
        ("morgen+ridge", "`morgen` is not a representation: did you mean `morgan`"),
        ("morgan", r"expected REPRESENTATION\+REGRESSION"),
        ("morgan+ridge+ridge", r"expected REPRESENTATION\+REGRESSION"),
        ("morgan:0+ridge", r"`0` is no number of principal components: expected one of at least 1, such as morgan:16"),
        ("morgan:+ridge", "`` is no number of principal components"),
        ("morgan:two+ridge", "`two` is no number of principal components"),
        ("morgan:150+ridge", "150 train molecules have at most 149 principal components"),
        ("morgen:4+ridge", "`morgen` is not a representation: did you mean `morgan`"),
    ],
)
def test_a_wrong_name_is_one_line(name: str, told: str, config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=told):
        plan(config(*SIZES, f"baselines=[{name}]", "model=mlp"))


def test_too_many_molecules_for_all_pairs_are_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"30,000 are too many: expected a data\.train_size of at most 20,000"):
        plan(config("data.train_size=30000", "baselines=[morgan+kernel_ridge]", "model=mlp"))
    plan(config("data.train_size=30000", "baselines=[morgan+ridge]", "model=mlp"))


def test_a_pair_knows_the_train_labels_and_the_molecule_alone(qm9: DataSet, split: Split) -> None:
    subset = split.train_subset(0)
    others = torch.ones(len(qm9), 1, dtype=torch.float64).index_fill(0, subset, 0)
    for name in ("morgan+ridge", "coulomb+kernel_ridge"):
        baseline = get_baseline(name)(qm9)
        predict = baseline.fit("gap", subset)
        together = predict(split.test)
        assert together.dtype == torch.float64
        assert together.shape == split.test.shape
        assert predict(split.test[:0]).shape == (0,)
        torch.testing.assert_close(predict(split.test.flip(0)[5:13]), together.flip(0)[5:13])
        elsewhere = get_baseline(name)(replace(qm9, values=qm9.values + others))
        torch.testing.assert_close(elsewhere.fit("gap", subset)(split.test), together)
        composition = get_baseline("composition")(qm9).fit("gap", subset)(split.test)
        truth = qm9.values[split.test, qm9.column("gap")]
        assert (together - truth).abs().mean() < (composition - truth).abs().mean()


def test_hidden_hydrogens_are_in_the_coulomb_matrix_all_the_same(
    qm9: DataSet, qm9_explicit: DataSet, split: Split
) -> None:
    implicit, explicit = (Vectors(dataset, "coulomb") for dataset in (qm9, qm9_explicit))
    assert (implicit.at(split.test.numpy()) == explicit.at(split.test.numpy())).all()


def test_coordinates_are_needed_where_a_pair_reads_them(qm9: DataSet) -> None:
    nowhere = replace(qm9, molecules=qm9.molecules._replace(positions=qm9.molecules.positions * torch.nan))
    pair = get_baseline("coulomb+ridge")
    assert issubclass(pair, Pair)
    with pytest.raises(InputError, match="reads coordinates, which qm9pack has not"):
        pair.check(nowhere, 100)
    get_baseline("morgan+ridge").check(nowhere, 100)  # type: ignore[attr-defined]


def test_principal_components_are_those_of_largest_variance(qm9: DataSet, split: Split) -> None:
    # Regression on all components is the regression on all columns; on few it is that on the scores of the SVD.
    vectors = Vectors(qm9, "flat").at(split.train_subset(0).numpy())
    labels = qm9.values[split.train_subset(0)][:, :1].numpy()
    others = Vectors(qm9, "flat").at(split.test.numpy())
    (whole,) = fit_pair("flat+ridge", vectors, labels)
    (turned,) = fit_pair("flat:149+ridge", vectors, labels, [whole.settings])
    np.testing.assert_allclose(turned.predict(others), whole.predict(others), rtol=1e-6, atol=1e-6)
    centre = vectors.mean(0)
    _, _, directions = np.linalg.svd(vectors - centre, full_matrices=False)
    scores = (vectors - centre) @ directions[:3].T
    (few,) = fit_pair("flat:3+ridge", vectors, labels, [{"penalty": 0.0}])
    weights, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(scores)), scores]), labels, rcond=None)
    expected = (others - centre) @ directions[:3].T @ weights[1:] + weights[0]
    np.testing.assert_allclose(few.predict(others), expected[:, 0], rtol=1e-6, atol=1e-6)
    assert (whole.num_parameters, few.num_parameters) == (vectors.shape[1] + 1, 4)


def test_only_the_flat_molecule_depends_on_the_features_of_atoms() -> None:
    assert "data.features" not in ignored_by("flat+ridge")
    assert "data.features" not in ignored_by("flat:4+ridge")
    for name in ("mean", "composition", "morgan+ridge", "morgan:4+ridge", "hdad+kernel_ridge"):
        assert "data.features" in ignored_by(name), name


def test_a_data_set_of_many_elements_has_no_histograms(qm9_explicit: DataSet) -> None:
    atoms = qm9_explicit.molecules.atoms.clone()
    atoms[:9, 0, ATOMIC_NUMBER] = torch.arange(20, 29).to(atoms.dtype)
    pair = get_baseline("hdad+ridge")
    assert issubclass(pair, Pair)
    with pytest.raises(InputError, match="14 elements are too many: expected a data set of at most 8"):
        pair.check(replace(qm9_explicit, molecules=qm9_explicit.molecules._replace(atoms=atoms)), 100)
