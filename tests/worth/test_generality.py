"""Whether worth is told right over several data sets: known factors, known orders of models, and no mixing of tasks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from ibbench.compare.study import Study, gather
from ibbench.compare.variants import find_variants_of
from ibbench.record.schema import Record
from ibbench.report.generality import generality_sentences
from ibbench.report.plot.generality import draw_generality
from ibbench.report.worth import page
from ibbench.worth.claims import find_claims
from ibbench.worth.curves import draw_curves, read_curves
from ibbench.worth.generality import Generality, find_generality
from ibbench.worth.saving import signed_multiplier
from ibbench.worth.worth import make_worth
from tests.compare.conftest import MakeRecord
from tests.worth.conftest import MakeCurves

SIZES = (200, 400, 800)
# What a model's labels count for, against those of mlp: an error is (factor x labels) ** -0.5.
Factors = Mapping[str, float]
QM9: Factors = {"mlp": 1, "deep_sets": 2, "gnn": 3}
LOGP: Factors = {"mlp": 1, "deep_sets": 1.5, "gnn": 0.5}


def _records(make_record: MakeRecord, source: str, split: str, factors: Factors, kind: str = "random") -> list[Record]:
    records = []
    for size in SIZES:
        for model, factor in factors.items():
            random = np.random.default_rng([size, len(model)])
            maes = {("gap", seed): (factor * size) ** -0.5 * (1 + 0.001 * random.normal()) for seed in range(5)}
            record = make_record(model, maes, train_size=size, source=source, split=split, baselines=False)
            data = record.config["data"] | {"source": source.partition(":")[0]}
            data |= {} if kind == "random" else {"split": kind}
            data |= {"task": source.partition(":")[2]} if ":" in source else {}
            records.append(record.model_copy(update={"config": record.config | {"data": data}}))
    return records


def _study(make_record: MakeRecord, *settings: tuple[str, str, Factors, str]) -> Study:
    return gather("s", [record for setting in settings for record in _records(make_record, *setting)])


def _generality(study: Study, at: float = 200) -> Generality:
    found = find_generality(study, read_curves(study), at)
    assert found
    return found


def test_each_step_is_told_per_data_set_with_its_factor(make_record: MakeRecord) -> None:
    study = _study(make_record, ("qm9pack", "a", QM9, "random"), ("logp", "b", LOGP, "random"))
    rows = _generality(study).worth.set_index(["dataset", "a", "b"])["worth"]
    assert rows["qm9pack gap", "deep_sets", "mlp"] == pytest.approx(2, rel=0.02)
    assert rows["logp gap", "deep_sets", "mlp"] == pytest.approx(1.5, rel=0.02)
    assert set(_generality(study).worth["verdict"]) == {"better", "worse"}
    # gnn and deep_sets win once each: A is the first of them, and the factor below 1 is 1 over that of the other.
    step = next(pair for pair in rows.index.droplevel(0) if set(pair) == {"gnn", "deep_sets"})
    factors = {"qm9pack gap": 1.5, "logp gap": 1 / 3}
    for dataset, factor in factors.items():
        true = factor if step[0] == "gnn" else 1 / factor
        assert rows[(dataset, *step)] == pytest.approx(true, rel=0.02)


def test_rankings_that_are_the_same_agree_wholly_and_opposite_ones_not_at_all(make_record: MakeRecord) -> None:
    opposite = {"mlp": 3, "deep_sets": 2, "gnn": 1}
    study = _study(make_record, ("qm9pack", "a", QM9, "random"), ("qm9pack", "c", QM9, "scaffold"))
    assert find_generality(study, read_curves(study), 200) is None  # one data set
    study = _study(
        make_record,
        ("qm9pack", "a", QM9, "random"),
        ("qm9pack", "c", QM9, "scaffold"),
        ("logp", "b", opposite, "random"),
    )
    rankings = _generality(study).stability.set_index("across")
    assert rankings.loc["split", ["tau", "num_pairs"]].tolist() == [1, 1]
    assert rankings.loc["data set", ["tau", "num_pairs"]].tolist() == [-1, 1]
    assert rankings.loc["split", "kind"] == "random and scaffold"


def test_the_split_of_a_data_set_is_its_own_and_tasks_are_named(make_record: MakeRecord) -> None:
    study = _study(
        make_record,
        ("moleculeace:CHEMBL219_Ki,max_atoms=32", "a", QM9, "column"),
        ("moleculeace:CHEMBL264_Ki,max_atoms=32", "b", QM9, "scaffold"),
    )
    rows = _generality(study).worth
    assert set(zip(rows["dataset"], rows["kind"], strict=True)) == {
        ("CHEMBL219_Ki gap", "own"),
        ("CHEMBL264_Ki gap", "scaffold"),
    }


def test_another_data_set_is_no_recipe_and_its_options_are_no_variant(make_record: MakeRecord) -> None:
    study = _study(make_record, ("qm9pack", "a", QM9, "random"), ("logp", "b", LOGP, "scaffold"))
    assert find_claims(study) == []
    assert {entry.key.variant for entry in study.entries} == {""}  # each data set has one split
    study = _study(
        make_record,
        ("qm9pack", "a", QM9, "random"),
        ("qm9pack", "c", QM9, "scaffold"),
        ("logp", "b", LOGP, "random"),
    )
    assert {entry.key.variant for entry in study.entries} == {"data.split=random", "data.split=scaffold"}
    assert find_claims(study) == []  # the table of several data sets tells of splits
    assert {curve.model for curve in read_curves(study)} == set(QM9)  # a section is a split, so a name needs none


def test_what_alters_the_data_is_told_also_where_it_goes_with_the_data_set() -> None:
    def config(source: str, task: str | None, **options: str) -> dict[str, Any]:
        return {"model": {"name": "gnn"}, "data": {"source": source, "task": task} | options}

    configs = [
        config("qm9pack", None, graph="true", features="qm9"),
        config("logp", None, graph="empty", features="organic"),
    ]
    assert find_variants_of(configs) == [{"data.graph": "true"}, {"data.graph": "empty"}]
    tasks = [config("moleculeace", "CHEMBL219_Ki"), config("moleculeace", "CHEMBL264_Ki")]
    assert find_variants_of(tasks) == [{}, {}]
    # Where nothing else tells the data sets of two rows apart, as in the rows of probes, the variant does.
    assert find_variants_of(tasks, apart=False) == [{"data.task": "CHEMBL219_Ki"}, {"data.task": "CHEMBL264_Ki"}]


@pytest.mark.parametrize("at", [250, 1000, 4000])
def test_a_factor_and_its_inverse_mirror_each_other(at: int, make_curves: MakeCurves) -> None:
    a, b = make_curves(np.random.RandomState(at), (3, 0.4, 0.0), (4, 0.4, 0.0))
    draws_a, draws_b = draw_curves([a, b], num_draws=10_000)  # the ends are one rank apart
    one, other = signed_multiplier(a, b, draws_a, draws_b, at), signed_multiplier(b, a, draws_b, draws_a, at)
    assert one.value * other.value == pytest.approx(1)
    assert one.low * other.high == pytest.approx(1, rel=0.03)
    assert (one.least, one.most) == pytest.approx((1 / other.most, 1 / other.least))
    assert one.low < (4 / 3) ** (1 / 0.4) < one.high


def test_the_page_and_the_picture_have_them_all(make_record: MakeRecord) -> None:
    study = _study(make_record, ("qm9pack", "a", QM9, "random"), ("logp", "b", LOGP, "scaffold"))
    worth = make_worth(study, at=200)
    assert worth.generality
    told = list(generality_sentences(worth.generality))
    assert any("random split: at 200 labels, what deep_sets assumes" in sentence for sentence in told)
    assert "On several data sets" in str(page(worth))
    panels = [axes.get_title() for axes in draw_generality(worth.generality.worth).axes]
    assert {"random split", "scaffold split"} <= set(panels)
