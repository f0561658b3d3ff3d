"""Principal components of flat molecules."""

import pytest
import torch

from ibbench.baselines import get_baseline, is_baseline
from ibbench.baselines.reconstruction import num_components
from ibbench.baselines.reconstruction.pca import find_components
from ibbench.compare.order import model_order
from ibbench.data.dataset import DataSet
from ibbench.data.itself import with_itself
from ibbench.errors import InputError

SUBSET = torch.arange(0, 60_000, 200)


def test_errors_are_the_variance_that_components_leave(qm9: DataSet) -> None:
    """The mean error of the molecules that are fitted is the sum of the eigenvalues that are left out."""
    chosen = qm9.molecules.select(SUBSET)
    vectors = find_components(chosen, 0).vectors(chosen)
    eigenvalues = torch.linalg.svdvals(vectors - vectors.mean(0)).square() / len(vectors)
    for number in (0, 2, 20, 243):
        found = find_components(chosen, number)
        assert found.errors(chosen).mean().item() == pytest.approx(eigenvalues[number:].sum().item(), abs=1e-8)
        assert torch.allclose(found.directions @ found.directions.T, torch.eye(number, dtype=torch.float64), atol=1e-9)


def test_codes_are_those_of_scikit_learn_up_to_signs(qm9: DataSet) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    chosen = qm9.molecules.select(SUBSET)
    found = find_components(chosen, 4)
    theirs = decomposition.PCA(4).fit_transform(found.vectors(chosen).numpy())
    assert found.codes(chosen).abs().numpy() == pytest.approx(abs(theirs), abs=1e-6)


def test_a_baseline_predicts_errors_and_its_name_says_how_many_components(qm9: DataSet) -> None:
    data = with_itself(qm9, "molecule")
    baseline = get_baseline("pca_5")(data)
    index = torch.tensor([7, 100_000])
    predicted = baseline.fit("molecule", SUBSET)(index)
    expected = find_components(qm9.molecules.select(SUBSET), 5).errors(qm9.molecules.select(index))
    assert torch.allclose(predicted, expected)
    assert baseline.num_parameters == 6 * 243
    assert baseline.reconstructs == "molecule"
    assert is_baseline("pca_5")


def test_names_without_a_number_are_refused() -> None:
    for name in ("pca_", "pca_x", "pca_08", "pca_-1"):
        assert not is_baseline(name)
        with pytest.raises(InputError, match="expected a number of components, such as pca_8"):
            num_components(name)


def test_components_stand_in_the_order_of_their_numbers_before_models() -> None:
    names = ["mlp", "pca_16", "morgan+ridge", "pca_2", "mean", "autoencoder"]
    assert sorted(names, key=model_order) == ["mean", "morgan+ridge", "pca_2", "pca_16", "mlp", "autoencoder"]
