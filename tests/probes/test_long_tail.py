"""Influence: a known one is found where a train molecule helps its own kind, and nothing where it helps nobody."""

import numpy as np
import pytest

from ibbench.probes.long_tail import influences


def _seeds(helps: float) -> tuple[np.ndarray, np.ndarray]:
    """Invent errors of 3 and some chance; test molecule j errs less by `helps` if train molecule j was seen."""
    random = np.random.default_rng(0)
    inside = random.random((200, 20)) < 0.5
    inside[0] = True
    return 3 + 0.1 * random.standard_normal(inside.shape) - helps * inside, inside


def test_a_known_influence_is_found_and_the_others_are_0() -> None:
    found = influences(*_seeds(helps=2.0), row=0)
    assert found.shape == (20, 20)
    assert np.diag(found).mean() == pytest.approx(2, abs=0.1)
    # Of another train molecule seeds without it have seen j in half of the cases, and this seed has.
    others = found[~np.eye(20, dtype=bool)]
    assert others.mean() == pytest.approx(1, abs=0.1)
    assert np.abs(influences(*_seeds(helps=0.0), row=0)).mean() < 0.15


def test_a_molecule_that_all_seeds_have_has_no_known_influence() -> None:
    inside = np.array([[True, True], [True, False], [True, False]])
    found = influences(np.array([[1.0], [3.0], [5.0]]), inside, row=0)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 3
