import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ibbench.baselines.pairs.pair import fit_pair
from ibbench.baselines.regressors import get_regressor, kernel_ridge, regressor_names

RANDOM = np.random.RandomState(0)
VECTORS = RANDOM.standard_normal((160, 6)).astype(np.float32)
LABELS = np.stack([VECTORS @ RANDOM.standard_normal(6), np.sin(VECTORS[:, 0]) * VECTORS[:, 1] + 5], axis=1)


@pytest.mark.parametrize("name", regressor_names())
def test_regressions_learn_and_each_target_by_itself(name: str) -> None:
    regressor, train = get_regressor(name)(), slice(0, 120)
    settings = regressor.choose(VECTORS[train], LABELS[train])
    fits = regressor.fit(VECTORS[train], LABELS[train], settings)
    predicted = np.stack([fitted.predict(VECTORS[120:]) for fitted in fits], axis=1)
    errors, spread = np.abs(predicted - LABELS[120:]).mean(0), np.abs(LABELS[120:] - LABELS[train].mean(0)).mean(0)
    assert errors[0] < 0.6 * spread[0]  # the first is linear, which all can learn
    assert (errors < 1.1 * spread).all()
    (alone,) = regressor.fit(VECTORS[train], LABELS[train, 1:], settings[1:])
    np.testing.assert_allclose(alone.predict(VECTORS[120:]), predicted[:, 1], rtol=1e-6)


@pytest.mark.parametrize("name", regressor_names())
def test_regressions_take_any_train_molecules(name: str) -> None:
    regressor = get_regressor(name)()
    alike = np.ones((5, 3), dtype=np.uint8)
    for vectors, labels in ((alike, np.arange(5.0)), (alike[:1], np.array([2.0])), (VECTORS[:9], np.full(9, 7.0))):
        (fitted,) = regressor.fit(vectors, labels[:, None], regressor.choose(vectors, labels[:, None]))
        within = 0.3 if name == "random_forest" else 1e-6  # each tree of a forest has other molecules, and another mean
        np.testing.assert_allclose(fitted.predict(vectors), labels.mean(), atol=within)


def test_leave_one_out_errors_are_those_of_fits_without_the_molecule() -> None:
    kernel = np.exp(-cdist(VECTORS[:30], VECTORS[:30], "cityblock") / 5)
    labels = LABELS[:30] - LABELS[:30].mean(0)
    found = kernel_ridge.leave_one_out(kernel.copy(), labels)
    for penalty, errors in zip(kernel_ridge._PENALTIES, found, strict=True):
        for out in (0, 17):
            kept = np.arange(30) != out
            weights = np.linalg.solve(kernel[np.ix_(kept, kept)] + penalty * np.eye(29), labels[kept])
            np.testing.assert_allclose(errors[out], labels[out] - kernel[out, kept] @ weights, rtol=1e-5)


def test_distances_between_counts_are_exact() -> None:
    one, other = (RANDOM.poisson(0.7, (n, 50)).astype(np.uint8) for n in (20, 30))
    assert np.array_equal(kernel_ridge._distances("laplacian", one, other), cdist(one, other, "cityblock"))
    np.testing.assert_allclose(kernel_ridge._distances("gaussian", one, other), cdist(one, other, "sqeuclidean"))


def test_a_fit_with_settings_that_were_chosen_before_is_the_same_fit() -> None:
    counts = RANDOM.poisson(0.5, (60, 30)).astype(np.uint8)
    for name in ("morgan+kernel_ridge", "morgan:9+boosting", "morgan+random_forest", "descriptors:5+ridge"):
        first = fit_pair(name, counts, LABELS[:60])
        again = fit_pair(name, counts, LABELS[:60], [fitted.settings for fitted in first])
        for one, other in zip(first, again, strict=True):
            assert np.array_equal(one.predict(counts), other.predict(counts))
            assert one.predict(counts[:0]).shape == (0,)
        json.dumps([(fitted.num_parameters, fitted.settings) for fitted in first])  # as they stand in a record
