"""Influence: a planted one is found, with an interval that covers it, and none where a molecule helps nobody."""

import numpy as np
import pytest
from scipy import stats

from ibbench.probes.long_tail import influences, pseudo_values

SEEDS, MOLECULES, POOL, TRAINED_ON = 16, 100, 492, 250


def _draw(random: np.random.Generator, helps: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw errors of unlike seeds on unlike molecules, less `helps` where a seed has the similar molecule."""
    inside = random.random((SEEDS, POOL)).argsort(1) < TRAINED_ON
    has = inside[:, random.integers(POOL, size=MOLECULES)]
    errors = 2 + 0.1 * random.standard_normal((SEEDS, 1)) + 0.5 * random.standard_normal((1, MOLECULES))
    return errors + 0.3 * random.standard_normal(has.shape) - helps * has, has


@pytest.mark.parametrize("helps", [0.0, 0.4])
def test_a_planted_influence_is_found_and_its_interval_covers_it(helps: float) -> None:
    random = np.random.default_rng(0)
    means, covered = [], 0
    for _ in range(200):
        errors, has = _draw(random, helps)
        kept = (has.sum(0) >= 2) & ((~has).sum(0) >= 2)
        values = np.array([pseudo_values(errors[:, kept], has[:, kept], row).mean() for row in range(SEEDS)])
        reach = stats.t.ppf(0.975, SEEDS - 1) * values.std(ddof=1) / SEEDS**0.5
        means.append(values.mean())
        covered += abs(values.mean() - helps) <= reach
    assert np.mean(means) == pytest.approx(helps, abs=0.01)
    assert 0.9 <= covered / 200 <= 0.99


def test_an_influence_is_the_mean_error_without_less_that_with() -> None:
    has = np.array([[True, False], [True, True], [False, True], [False, False]])
    errors = np.array([[1.0, 9], [3, 2], [5, 4], [7, 9]])
    assert influences(errors, has).tolist() == [6 - 2, 9 - 3]
    errors, has = np.vstack([errors, errors]), np.vstack([has, has])
    mean = np.mean([pseudo_values(errors, has, row) for row in range(8)], axis=0)
    assert mean == pytest.approx(influences(errors, has))
