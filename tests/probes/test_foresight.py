"""Scores of foretelling, where they are known."""

import math

import numpy as np
import pytest
from scipy import stats

from ibbench.probes.subject.foresight import concordance, foretell_ratios, rank_correlation


def test_p_values_are_those_of_all_orders() -> None:
    ours, theirs = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 3, 2, 4, 6, 5])
    correlation, p = rank_correlation([ours], [theirs])
    exact = stats.permutation_test(
        [theirs], lambda order: stats.spearmanr(ours, order)[0], permutation_type="pairings", n_resamples=np.inf
    )
    assert correlation == pytest.approx(stats.spearmanr(ours, theirs)[0])
    assert p == pytest.approx(exact.pvalue)
    assert rank_correlation([ours[:4]], [theirs[:4] * 0 + np.arange(4)])[1] == pytest.approx(2 / 24)
    assert rank_correlation([ours[:3]], [theirs[:3]])[1] is None
    assert math.isnan(rank_correlation([ours * 0], [theirs])[0])


def test_more_targets_of_the_same_models_are_no_more_evidence() -> None:
    ours, theirs = np.arange(4.0), np.arange(4.0)
    assert rank_correlation([ours] * 12, [theirs] * 12)[1] == pytest.approx(2 / 24)


def test_noise_is_found_as_often_as_the_p_value_says() -> None:
    draws = np.random.default_rng(0)
    p_values = [rank_correlation([draws.normal(size=9)], [draws.normal(size=9)])[1] for _ in range(100)]
    assert np.mean(np.array(p_values) < 0.2) == pytest.approx(0.2, abs=0.12)
    assert rank_correlation([np.arange(22.0)], [np.arange(22.0)])[1] == pytest.approx(1 / 20_001)


def test_kendall_over_all_pairs_and_over_steps() -> None:
    ours, theirs = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    every = [(a, b) for a in range(4) for b in range(a)]
    assert concordance(ours, theirs, every).tau == pytest.approx(stats.kendalltau(ours, theirs)[0])
    steps = concordance(ours, theirs, [(1, 0), (2, 1)])
    assert steps == (1, 2)
    assert steps.tau == 0
    assert concordance(ours * 0, theirs, [(1, 0)]).num_right == 0.5
    assert concordance(ours, theirs, []).tau is None


def test_ratios_that_follow_a_law_are_foretold_and_others_are_not() -> None:
    bits = np.array([1.0, 1.2, 1.5, 1.6, 2.0])
    families = ["gnn", "gnn", "gat", "mlp", "cnn"]
    measured = [scale * np.exp(0.7 * bits) for scale in (1.0, 1000.0)]
    exact = foretell_ratios([bits, bits], measured, families)
    alike = foretell_ratios([None, None], measured, families)
    assert exact is not None
    assert alike is not None
    assert exact.factor == pytest.approx(1)
    assert alike.factor > 1.2
    assert alike.low is not None
    assert alike.high is not None
    assert 1 <= alike.low < alike.factor < alike.high
    wrong = foretell_ratios([-bits + np.sin(9 * bits)] * 2, measured, families)
    assert wrong is not None
    assert wrong.factor > 1.1
    assert foretell_ratios([bits[:2]], [bits[:2]], ["gnn", "gat"]) is None
    assert foretell_ratios([bits], [bits * 0], families) is None


def test_a_family_is_foretold_from_the_others_alone() -> None:
    bits, families = np.array([1.0, 2.0, 3.0]), ["a", "b", "c"]
    errors = np.exp(bits)
    changed = errors * np.array([1, 1, math.e])
    first, then = (foretell_ratios([bits], [values], families) for values in (errors, changed))
    assert first is not None
    assert then is not None
    assert first.factor == pytest.approx(1)
    # a is foretold from b and c, whose slope is now 2, as 0 instead of 1; b as 2.5 instead of 2; c as 3 instead of 4.
    assert math.log(then.factor) == pytest.approx((1 + 1 + 0.5) / 3)


def test_numbers_that_foretell_nothing_may_miss_by_any_factor() -> None:
    far = np.array([0.0, 1e-9, 1e6, 1.0, 1e-9, 0.0])  # a slope of two near ones, prolonged to one that is far away
    missed = foretell_ratios([far], [np.array([1.0, 3.0, 2.0, 1.0, 2.0, 1.5])], ["a", "a", "b", "c", "c", "d"])
    assert missed
    assert missed.high == np.inf
