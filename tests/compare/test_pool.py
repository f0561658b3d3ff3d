"""Baselines whose seeds all train on the whole pool: what no seed changes is no knowledge of a variance over seeds."""

import numpy as np

from ibbench.compare.comparison import make_report
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.rows import Cost, Entry, Group, Key, Section
from ibbench.compare.statistics import Sample, compare
from ibbench.compare.study import gather
from ibbench.compare.verdict import SAME_SEEDS, judge
from ibbench.record.schema import Record
from ibbench.report import markdown
from ibbench.report.comparison import page
from tests.compare.conftest import MakeRecord

MOLECULES = 200


def _sample(generator: np.random.Generator, level: float, of_seed: float = 0.0, num_seeds: int = 3) -> Sample:
    """Draw errors; where no seed changes them, they differ in rounding, as sums in another order do."""
    errors = level * generator.exponential(size=MOLECULES) * np.ones((num_seeds, 1))
    errors *= 1 + of_seed * generator.normal(size=(num_seeds, 1)) + 1e-15 * np.arange(num_seeds)[:, None]
    return Sample(tuple(range(num_seeds)), errors.mean(1), errors)


def test_what_no_seed_changes_gets_no_p_value_and_an_interval_over_molecules() -> None:
    generator = np.random.default_rng(0)
    one, other = _sample(generator, 1.0), _sample(generator, 1.5)
    compared = compare(one, other)
    assert compared.difference.p_value() is None
    assert judge(compared, None) == ("lower", SAME_SEEDS)
    interval = compared.difference.interval()
    assert interval is not None
    assert interval[0] < one.mae - other.mae < interval[1] < 0
    alone = one.mae_interval()
    assert alone is not None
    assert alone[0] < 0.95 * one.mae < 1.05 * one.mae < alone[1]
    bare = [sample._replace(errors=None) for sample in (one, other)]
    assert bare[0].mae_interval() is None  # rather than one of zero width
    assert compare(*bare).difference.interval() is None
    assert compare(*bare).difference.p_value() is None
    longer = one._replace(seeds=(3, 4, 5, 6), maes=np.resize(one.maes, 4), errors=None)
    assert compare(bare[0], longer).identical


def test_a_model_is_tested_against_it_by_its_own_seeds() -> None:
    generator = np.random.default_rng(1)
    constant, model = _sample(generator, 1.5), _sample(generator, 1.0, of_seed=0.01)
    p_value = compare(model, constant).difference.p_value()
    assert p_value is not None
    assert 1e-9 < p_value < 0.05


def test_such_rows_take_no_part_in_what_trained_models_share() -> None:
    generator = np.random.default_rng(2)
    group = Group(Section("s", "implicit", "abc"), "t", "eV", 1000)
    samples = [_sample(generator, 1.0, 0.01) for _ in range(4)]
    entries = [Entry(Key(group, f"m{i}", ""), (), sample, Cost(1, 1, 1.0), {}) for i, sample in enumerate(samples)]
    baseline = Entry(Key(group, "mean", "", is_baseline=True), (), _sample(generator, 2.0), Cost(1, None, None), {})
    with_it, without = compare_pairs([baseline, *entries]), compare_pairs(entries)
    for keys, pair in without.items():
        assert with_it[keys].comparison == pair.comparison


def test_the_table_says_so(make_record: MakeRecord) -> None:
    record: Record = make_record("gnn", {("gap", seed): 0.3 + seed / 100 for seed in range(3)})
    text = markdown.write(page(make_report(gather("whole", [record]))))
    assert "All seeds of mean have the same error, as where all train on the whole pool" in text
