"""Known truths: what simulations with known parameters, and scipy where it has the same test, say."""

import math

import numpy as np
import pytest
from scipy import stats

from ibbench.compare.distribution import quantile, survival
from ibbench.compare.estimate import estimate
from ibbench.compare.statistics import Sample, compare, compare_summaries
from ibbench.compare.verdict import Verdict, detectable, holm, judge

# Standard deviations through the seed, the molecule, and both together, of the errors of two models that are
# equally good; the molecules' is that of the mean over the 200 simulated ones times their root.
SOURCES = {"seeds": (1.0, 0.0, 0.1), "molecules": (0.0, 1.0, 0.3), "both": (0.1, 1.0, 1.0), "noise": (0.0, 0.0, 1.0)}
MOLECULES = 200


def _sample(errors: np.ndarray) -> Sample:
    return Sample(tuple(range(len(errors))), errors.mean(1), errors)


def _simulate(generator: np.random.Generator, num_seeds: int, source: str, gap: float = 0.0) -> tuple[Sample, Sample]:
    """Draw the errors of two models whose true MAEs are 5 + gap and 5."""
    of_seed, of_molecule, of_both = SOURCES[source]
    difference = (
        gap
        + of_seed * generator.normal(size=(num_seeds, 1))
        + of_molecule * generator.laplace(size=(1, MOLECULES)) / math.sqrt(2)
        + of_both * generator.normal(size=(num_seeds, MOLECULES))
    )
    # What both have in common does not matter: they are paired.
    common = 5 + generator.normal(size=(num_seeds, 1)) / 3 + generator.normal(size=(1, MOLECULES)) / 3
    return _sample(common + difference / 2), _sample(common - difference / 2)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_equal_models_are_rarely_told_apart(num_seeds: int, source: str) -> None:
    generator = np.random.default_rng(num_seeds)
    pairs = [compare(*_simulate(generator, num_seeds, source)) for _ in range(800)]
    rate = np.mean([pair.difference.p_value() < 0.05 for pair in pairs])
    # 0.05 with its own chance of 800 trials; cautious where the source of variance cannot be told from few seeds.
    assert rate < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 800)
    if source == "seeds" or num_seeds == 5:
        assert rate > 0.05 - 3 * math.sqrt(0.05 * 0.95 / 800)


@pytest.mark.parametrize("source", SOURCES)
def test_intervals_hold_the_true_difference_and_ratio(source: str) -> None:
    generator = np.random.default_rng(1)
    covered = {"difference": 0, "ratio": 0}
    for _ in range(800):
        comparison = compare(*_simulate(generator, 3, source, gap=0.5))
        low, high = comparison.difference.interval()
        covered["difference"] += low <= 0.5 <= high
        _, low, high = comparison.ratio()
        covered["ratio"] += low <= 5.25 / 4.75 <= high
    for count in covered.values():
        assert 0.95 - 3 * math.sqrt(0.05 * 0.95 / 800) < count / 800 < 0.99


def test_without_molecules_it_is_the_paired_t_test() -> None:
    a, b = np.random.default_rng(0).normal(5, 1, size=(2, 6))
    ours = compare(Sample(tuple(range(6)), a, None), Sample(tuple(range(6)), b, None)).difference
    theirs = stats.ttest_rel(a, b)
    assert ours.p_value() == pytest.approx(theirs.pvalue, rel=1e-6)
    assert ours.interval() == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-4)


def test_one_seed_has_the_bootstrap_interval_over_molecules_and_no_test() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.exponential(1.0, 2000), generator.exponential(1.1, 2000)
    comparison = compare(_sample(a[None]), _sample(b[None]))
    theirs = stats.bootstrap((a - b,), np.mean, n_resamples=5000, method="percentile", rng=generator)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert comparison.difference.interval() == pytest.approx(tuple(theirs.confidence_interval), abs=0.05 * width)
    assert comparison.difference.p_value() is None
    assert judge(comparison, None) == Verdict("lower", "one seed: seed variance unknown")
    assert judge(compare(_sample(a[None]), _sample(a[None] + generator.normal(size=(1, 2000)))), None).tied


def test_identical_predictions_are_not_distinguishable() -> None:
    errors = np.random.default_rng(0).exponential(size=(3, 100))
    comparison = compare(_sample(errors), _sample(errors))
    assert comparison.difference.p_value() is None  # there is no variance to judge it by
    assert comparison.ratio()[0] == 1
    assert judge(comparison, None) == Verdict("identical")
    assert judge(comparison, None).tied


def test_the_tail_is_that_of_t_or_of_the_normal_distribution() -> None:
    for num_seeds in (2, 3, 6, 31, 1001):
        for value in (0.1, 1.0, 4.0):
            assert survival(value, 1, 0, num_seeds - 1) == pytest.approx(stats.t.sf(value, num_seeds - 1), rel=1e-5)
            assert survival(value, 0, 1, num_seeds - 1) == pytest.approx(stats.norm.sf(value))
    draws = np.random.default_rng(0)
    mixed = 0.8 * draws.standard_t(2, 400_000) + 0.6 * draws.normal(size=400_000)
    assert quantile(0.05, 0.64, 0.36, 2) == pytest.approx(np.quantile(np.abs(mixed), 0.95), rel=0.01)


def test_b_against_a_is_the_mirror_of_a_against_b() -> None:
    a, b = _simulate(np.random.default_rng(0), 3, "both", gap=0.3)
    there, back = compare(a, b), compare(b, a).reversed()
    assert there.difference == pytest.approx(back.difference)
    assert there.ratio() == pytest.approx(back.ratio())
    assert there.probability() == back.probability()
    assert judge(there, 0.01).reversed() == judge(compare(b, a), 0.01) == Verdict("better")


def test_other_seeds_are_compared_by_welchs_test() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(5.0, 1.0, 3), generator.normal(5.5, 0.3, 5)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    ours = compare(Sample((0, 1, 2), a, None), Sample((1, 2, 3, 4, 5), b, None))
    assert ours.difference.p_value() == pytest.approx(theirs.pvalue, rel=1e-5)
    assert ours.difference.interval() == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-4)
    assert ours.probability() is None
    known = [(float(of_one.mean()), float(of_one.std(ddof=1)), len(of_one)) for of_one in (a, b)]
    assert compare_summaries(*known).difference == pytest.approx(ours.difference)
    assert compare(Sample((0,), a[:1], None), Sample((1, 2, 3, 4, 5), b, None)).difference.p_value() is None


def test_other_seeds_keep_the_level_when_molecules_matter() -> None:
    generator = np.random.default_rng(0)
    rejected = 0
    for _ in range(800):
        of_molecule = generator.normal(size=(2, 1, MOLECULES))
        a, b = (
            5
            + 0.05 * generator.normal(size=(seeds, 1))
            + of_molecule[model]
            + generator.normal(size=(seeds, MOLECULES))
            for model, seeds in enumerate((3, 5))
        )
        one, other = _sample(a), Sample((5, 6, 7, 8, 9), b.mean(1), b)
        rejected += compare(one, other).difference.p_value() < 0.05
    assert 0.01 < rejected / 800 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 800)


def test_ties_count_half_and_few_seeds_have_no_share() -> None:
    a = Sample((0, 1, 2, 3, 4, 5), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), None)
    b = a._replace(maes=a.maes + np.array([1.0, 0.0, 0.0, 1.0, 1.0, -1.0]))
    share, low, high = compare(a, b).probability()
    assert share == pytest.approx(4 / 6)
    assert low == pytest.approx(stats.binomtest(3, 6).proportion_ci().low)
    assert high == pytest.approx(stats.binomtest(5, 6).proportion_ci().high)
    few = [Sample(sample.seeds[:5], sample.maes[:5], None) for sample in (a, b)]
    assert compare(*few).probability() is None


def test_holm_multiplies_from_the_smallest_on() -> None:
    assert holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.5, 0.001]) == pytest.approx([0.5, 0.002])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert holm([]) == []
    assert holm([0.01, 0.02], num_tests=10) == pytest.approx([0.1, 0.18])


def test_a_difference_as_small_as_is_named_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(300):
        maes = 5 * np.exp(0.02 * generator.normal(size=(2, 8)))
        comparison = compare(*(Sample(tuple(range(8)), row, None) for row in maes))
        found.append(detectable(comparison.log_ratio))
    true = float(np.median(found))
    draws = generator.normal(true, 0.02 * math.sqrt(2), size=(4000, 8))
    assert np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.08)


def test_what_was_not_found_says_how_much_worse_it_could_be() -> None:
    a, b = _simulate(np.random.default_rng(3), 3, "molecules", gap=0.02)
    comparison = compare(a, b)
    _, low, high = comparison.ratio()
    words = judge(comparison, 0.5)
    assert words.word == "not distinguishable"
    assert words.note.startswith(f"from {100 * (1 - low):.1f} % lower to {100 * (high - 1):.1f} % higher; ")
    assert words.note.endswith("% would be found")


def test_what_is_surely_smaller_than_is_relevant_is_said() -> None:
    generator = np.random.default_rng(0)
    base = 5 + 0.01 * generator.normal(size=3)
    alike = compare(Sample((0, 1, 2), base, None), Sample((0, 1, 2), base + 1e-3 * generator.normal(size=3), None))
    assert judge(alike, 0.5) == Verdict("equal", "within 1 %")
    assert judge(alike, 0.5).tied
    assert judge(alike, 0.001) in {Verdict(word, "by less than 1 %") for word in ("better", "worse")}
    assert judge(alike, 0.5, relevance=1e-6).word == "not distinguishable"


@pytest.mark.parametrize("num_molecules", [5, 10, 30])
def test_few_test_molecules_keep_the_level(num_molecules: int) -> None:
    generator = np.random.default_rng(num_molecules)
    rejected = 0
    for _ in range(800):
        of_molecule = generator.normal(size=(2, 1, num_molecules))
        noise = 0.05 * generator.normal(size=(2, 3, num_molecules))
        a, b = (10 + of_molecule + noise for of_molecule, noise in zip(of_molecule, noise, strict=True))
        rejected += compare(_sample(a), _sample(b)).difference.p_value() < 0.05
    assert rejected / 800 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 800)


@pytest.mark.parametrize("scale", [1e-90, 1.0, 1e90])
def test_the_unit_does_not_matter(scale: float) -> None:
    generator = np.random.default_rng(0)
    a, b = Sample((0, 1, 2), generator.normal(5, 1, 3), None), Sample((5, 6, 7, 8), generator.normal(5, 1, 4), None)
    scaled = [sample._replace(maes=sample.maes * scale) for sample in (a, b)]
    assert compare(*scaled).difference.p_value() == pytest.approx(compare(a, b).difference.p_value())


def test_the_interval_of_an_mae_holds_it_and_stays_positive() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        difficulty = 0.5 * generator.exponential(size=(1, MOLECULES)) + 0.5
        errors = np.exp(0.2 * generator.normal(size=(3, 1)) - 0.02) * difficulty
        low, high = _sample(errors).mae_interval()
        covered += 0 < low <= 1 <= high
    assert 0.95 - 3 * math.sqrt(0.05 * 0.95 / 500) < covered / 500 < 0.99
    assert Sample((0, 1), np.array([0.1, 2.0]), None).mae_interval()[0] > 0


def test_seed_noise_is_not_counted_again_as_variance_of_molecules() -> None:
    errors = np.random.default_rng(0).normal(size=(50, 400))
    found = estimate(errors.mean(1), errors)
    assert found.seed_variance == pytest.approx(1 / 400 / 50, rel=0.4)
    assert found.molecule_variance < 0.3 * found.seed_variance
