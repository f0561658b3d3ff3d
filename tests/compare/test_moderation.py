"""Variances that inform each other: simulations with known truths, written apart from the code that they check."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ibbench.compare.moderation import estimate_prior
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.rows import Cost, Entry, Group, Key, Section
from ibbench.compare.statistics import Sample
from ibbench.compare.verdict import ALPHA

SECTION = Section("qm9pack", "implicit", "abc")


def _table(
    generator: np.random.Generator, models: int, targets: int, seeds: int, unequal: float, worse: float = 0.0
) -> list[Entry]:
    """Draw MAEs of models with relative deviations over seeds of 1 %, times a lognormal factor; the last is worse."""
    entries = []
    for target in range(targets):
        of_seed = 0.01 * generator.normal(size=seeds)
        for model in range(models):
            deviation = 0.01 * math.exp(unequal * generator.normal())
            level = 1 + worse * (model == models - 1)
            maes = level * np.exp(of_seed + deviation * generator.normal(size=seeds))
            key = Key(Group(SECTION, f"t{target}", "eV", 1000), f"m{model}", "")
            entries.append(Entry(key, (), Sample(tuple(range(seeds)), maes, None), Cost(1, 1, 1.0), {}))
    return entries


def _told_apart(entries: list[Entry]) -> tuple[float, bool]:
    """Return the share of pairs with an uncorrected p-value below 5 %, and whether any is below after correction."""
    pairs = compare_pairs(entries)
    p_values = [pair.comparison.difference.p_value() for pair in pairs.values()]
    assert None not in p_values
    return float(np.mean([p < ALPHA for p in p_values])), any((pair.p_holm or 0) < ALPHA for pair in pairs.values())


@pytest.mark.parametrize(
    ("models", "targets", "seeds"), [(4, 1, 2), (4, 2, 3), pytest.param(13, 1, 3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("unequal", [0.0, 0.8])
def test_equal_models_are_rarely_told_apart(models: int, targets: int, seeds: int, unequal: float) -> None:
    generator = np.random.default_rng(models + seeds)
    draws = 400 if models == 4 else 120
    shares, any_of_table = zip(
        *(_told_apart(_table(generator, models, targets, seeds, unequal)) for _ in range(draws)), strict=True
    )
    # At most 6 % of single tests, and 5 % of tables with a false verdict, each with the chance of so many draws.
    assert np.mean(shares) < 0.06 + 3 * math.sqrt(0.06 * 0.94 / draws / 3)
    assert np.mean(any_of_table) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_borrowing_sees_with_two_seeds_what_a_t_test_does_not() -> None:
    generator = np.random.default_rng(0)
    found = {"moderated": 0, "alone": 0}
    for _ in range(200):
        entries = _table(generator, 4, 2, 2, 0.0, worse=0.05)
        of_last = [pair for keys, pair in compare_pairs(entries).items() if "m3" in {keys[0].model, keys[1].model}]
        found["moderated"] += sum(pair.comparison.difference.p_value() < ALPHA for pair in of_last)
        samples = {entry.key: entry.sample.maes for entry in entries}
        found["alone"] += sum(stats.ttest_rel(samples[pair.a], samples[pair.b]).pvalue < ALPHA for pair in of_last)
    assert found["moderated"] > 2 * found["alone"]


def test_where_there_is_nothing_to_borrow_from_nothing_is_borrowed() -> None:
    generator = np.random.default_rng(0)
    entries = _table(generator, 2, 1, 3, 0.0)
    (pair,) = compare_pairs(entries).values()
    alone = stats.ttest_rel(*(entry.sample.maes for entry in entries))
    assert pair.comparison.difference.p_value() == pytest.approx(alone.pvalue, rel=1e-5)
    assert estimate_prior(np.array([1.0, 2.0]), np.array([1.0, 1.0]), 2, 2.0) is None


def test_the_more_variances_scatter_the_less_is_borrowed() -> None:
    degrees = np.full(40, 2.0)
    alike = stats.chi2.ppf((np.arange(40) + 0.5) / 40, 2) / 2  # as two degrees of freedom scatter by themselves
    prior, wide = (estimate_prior(alike * factor, degrees, 20, 80.0) for factor in (1, np.geomspace(0.01, 100, 40)))
    assert prior is not None
    assert wide is not None
    assert prior.degrees > 3 * wide.degrees
    assert prior.variance == pytest.approx(1, rel=0.05)
    variance, total = prior.moderate(4.0, 2.0)
    assert 1 < variance < 4
    assert total == pytest.approx(prior.degrees + 2)
    # No comparison has more degrees of freedom than all seeds together.
    assert prior._replace(pooled=3.0).moderate(4.0, 2.0)[1] == 3.0


def test_models_of_no_variance_over_seeds_are_left_as_they_are() -> None:
    generator = np.random.default_rng(0)
    entries = _table(generator, 5, 1, 3, 0.0)
    constant = entries[0]._replace(sample=Sample((0, 1, 2), np.full(3, 0.9), None))
    other = entries[1]._replace(sample=Sample((0, 1, 2), np.full(3, 1.1), None))
    pairs = compare_pairs([constant, other, *entries[2:]])
    assert pairs[constant.key, other.key].p_holm is None  # no variance, no test
    assert all(pair.p_holm is not None for keys, pair in itertools.islice(pairs.items(), 1, None))
