"""Studies of several data sets, splits, rates and lengths: nothing is joined, lost or claimed that must not be."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from ibbench.compare.diff import diff
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.provenance import provenance
from ibbench.compare.side import of_study
from ibbench.compare.soundness import find_faults
from ibbench.compare.study import Study, gather
from ibbench.record.metrics import MetricsEntry
from ibbench.record.schema import BaselineEntry, Record, RungEntry
from ibbench.report.generality import generality_tables
from ibbench.report.lengths import tell_lengths
from ibbench.report.worth import page
from ibbench.worth.claims import find_claims
from ibbench.worth.curves import neighbours, read_curves
from ibbench.worth.generality import find_generality
from ibbench.worth.names import name_split
from ibbench.worth.worth import make_worth
from tests.compare.conftest import MakeRecord

SEEDS = range(3)


def _run(
    make_record: MakeRecord,
    model: str,
    mae: float,
    size: int,
    options: Mapping[str, Any] | None = None,
    spread: float = 0.01,
    **place: Any,
) -> Record:
    """Make the record of a run with an error and more options than invented records have."""
    random = np.random.default_rng([*f"{model} {mae} {size} {options} {place}".encode()])
    maes = {("gap", seed): mae * (1 + spread * random.standard_normal()) for seed in SEEDS}
    record: Record = make_record(model, maes, train_size=size, baselines=False, **place)
    config = {key: dict(value) if isinstance(value, dict) else value for key, value in record.config.items()}
    for name, value in (options or {}).items():
        group, _, option = name.partition(".")
        config[group] = (config.get(group) or {}) | {option: value} if option else value
    return record.model_copy(update={"config": config, "run": f"{record.run} {options} {place}"})


def _study(*records: Record) -> Study:
    return gather("s", list(records))


def _variants(*records: Record) -> list[str]:
    return [entry.key.variant for entry in _study(*records).entries]


def _curve(make_record: MakeRecord, model: str, lengths: Mapping[int, int], level: float, **place: Any) -> list[Record]:
    options = {size: {"trainer.steps": steps} for size, steps in lengths.items()}
    return [_run(make_record, model, level * size**-0.5, size, options[size], **place) for size in lengths]


def test_two_files_have_lengths_of_their_own(make_record: MakeRecord) -> None:
    one = [
        record
        for model, level in (("mlp", 10), ("gnn", 8))
        for record in _curve(make_record, model, {100: 100, 200: 200}, level, source="csv:a", split="a")
    ]
    other = [
        record
        for model, level in (("mlp", 10), ("gnn", 8))
        for record in _curve(make_record, model, {100: 200, 200: 400}, level, source="csv:b", split="b")
    ]
    study = _study(*one, *other)
    assert {entry.key.variant for entry in study.entries} == {""}
    assert [curve.model for curve in read_curves(study)] == ["mlp", "gnn"] * 2
    told = "Trained for 100 steps at 100, 200 steps at 200 train molecules; "
    assert (
        tell_lengths(study.entries) == told + "200 steps at 100 on csv:b (random); 400 steps at 200 on csv:b (random)."
    )


def test_all_labels_and_their_number_are_two_runs(make_record: MakeRecord) -> None:
    whole = _run(make_record, "mlp", 0.3, 1000, {"trainer.steps": 8000, "data.train_size": None})
    typed = _run(make_record, "mlp", 0.6, 1000, {"trainer.steps": 4000})
    assert sorted(_variants(whole, typed)) == ["trainer.steps=4000", "trainer.steps=8000"]


@pytest.mark.parametrize(
    ("of_one", "of_other"),
    [
        ({"trainer.epochs": 10}, {"trainer.steps": 4000}),
        ({"tuning": None}, {"tuning": {"name": "halving", "trials": 8}}),
        ({"budget": None, "model.width": 8}, {}),
    ],
)
def test_an_option_that_is_null_for_a_whole_model_is_told(
    of_one: dict[str, Any], of_other: dict[str, Any], make_record: MakeRecord
) -> None:
    one, other = _run(make_record, "mlp", 0.3, 1000, of_one), _run(make_record, "gnn", 0.2, 1000, of_other)
    assert all(_variants(one, other))


def test_options_are_told_per_data_set_and_their_changes_are_seen(make_record: MakeRecord) -> None:
    def study(steps: int) -> Study:
        qm9 = _run(make_record, "gnn", 0.2, 200, {"trainer.steps": steps, "data.features": "qm9"})
        options = {"trainer.steps": 8000, "data.features": "organic"}
        return _study(qm9, _run(make_record, "gnn", 0.3, 200, options, source="logp", split="b"))

    found = {row.section.source: options for row, options in provenance(study(4000)).row_options().items()}
    assert found["qm9pack"]["trainer.steps"] == 4000
    assert found["qm9pack"]["data.features"] == "qm9"
    assert found["logp"]["trainer.steps"] == 8000
    told = diff(of_study("old", study(4000)), of_study("new", study(500)), 0.02).changes
    assert any("trainer.steps 4000 → 500" in change for change in told)


def test_two_seeds_of_a_split_are_two_rows(make_record: MakeRecord) -> None:
    records = []
    for source, split, seed, of_gnn in (("qm9pack", "a", 0, 5), ("qm9pack", "c", 1, 7), ("logp", "b", 0, 6)):
        for model, level in (("mlp", 10), ("gnn", of_gnn)):
            for size in (200, 400, 800):
                options = {"data.split_seed": seed, "data.source": source}
                records.append(_run(make_record, model, level * size**-0.5, size, options, source=source, split=split))
    study = _study(*records)
    found = find_generality(study, read_curves(study), 200)
    assert found
    (rows,) = (
        shape.rows for shape in generality_tables(found) if getattr(shape, "title", "") == "On several data sets"
    )
    names = [row["data set"] for row in rows]
    assert sorted(names) == ["logp gap", "qm9pack gap (data.split_seed=0)", "qm9pack gap (data.split_seed=1)"]
    assert set(found.stability["across"]) <= {"data set"}


def test_data_sets_of_other_sizes_are_named(make_record: MakeRecord) -> None:
    records = []
    for source, sizes in (("qm9pack", (200, 400)), ("logp", (200, 400)), ("freesolv", (2000, 4000))):
        for model, level in (("mlp", 10), ("gnn", 8)):
            records += [_run(make_record, model, level * n**-0.5, n, source=source, split=source) for n in sizes]
    text = "\n".join(str(shape) for shape in page(make_worth(_study(*records), at=200)))
    assert "no model was trained at sizes around 200 labels: freesolv gap" in text


def test_a_column_of_a_users_file_is_no_usual_split() -> None:
    assert name_split({"data.split": "column", "data.source": "moleculeace"}) == "own"
    assert name_split({"data.split": "column", "data.source": "csv"}) == "column"
    assert name_split({}) == "random"


def _rung(record: Record, number: int, name: str, after: str | None) -> Record:
    return record.model_copy(update={"rung": RungEntry(number=number, name=name, adds="it", after=after)})


def test_curves_of_rungs_have_one_rate(make_record: MakeRecord) -> None:
    records = [
        _rung(_run(make_record, model, level * size**-0.5, size, {"optimizer.lr": rate}), number, name, after)
        for number, (model, name, after, level) in enumerate((("mlp", "one", None, 10), ("gnn", "two", "one", 8)), 1)
        for size, rate in ((500, 0.01), (1000, 0.01), (2000, 0.1), (4000, 0.1))
    ]
    curves = read_curves(_study(*records))
    assert [sorted(curve.sizes.tolist()) for curve in curves] == [[500, 1000], [2000, 4000]] * 2
    steps = [(a.model, b.model) for a, b in neighbours(curves)]
    assert steps == [(f"two (optimizer.lr={rate})", f"one (optimizer.lr={rate})") for rate in (0.01, 0.1)]


def test_steps_between_variants_are_tested_like_all_others(make_record: MakeRecord) -> None:
    records = [
        _run(make_record, model, 10 * size**-0.5, size, {"optimizer.lr": rate}, spread=0.05)
        for model in ("mlp", "deep_sets", "gnn")
        for rate in (0.001, 0.01, 0.1)
        for size in (500, 1000)
    ]
    worth = make_worth(_study(*records))
    trained = worth.multipliers
    for one, other in neighbours(worth.curves):
        pair = {one.model, other.model}
        rows = trained[[{a, b} == pair for a, b in zip(trained["a"], trained["b"], strict=True)]]
        assert rows["p_holm"].notna().all()


def test_a_noisy_split_takes_nothing_from_a_quiet_one(make_record: MakeRecord) -> None:
    def runs(split: str, spread: float, kind: str) -> list[Record]:
        levels = (("mlp", 0.5), ("deep_sets", 0.4), ("gnn", 0.38), ("gat", 0.37))
        return [
            _run(make_record, model, mae, 1000, {"data.split": kind}, spread=spread, split=split)
            for model, mae in levels
        ]

    def quiet(study: Study) -> list[float | None]:
        found = compare_pairs(study.entries)
        return [pair.comparison.difference.degrees for (a, _), pair in found.items() if a.group.section.split == "a"]

    alone = _study(*runs("a", 0.003, "random"))
    beside = _study(*runs("a", 0.003, "random"), *runs("b", 0.3, "scaffold"))
    assert quiet(alone) == pytest.approx(quiet(beside))


def _with_composition(record: Record, mae: float, train: float) -> Record:
    def metrics(value: float) -> MetricsEntry:
        return MetricsEntry(mae=value, rmse=value, r2=0.5, mae_over_std=value)

    replicas = tuple(one.model_copy(update={"train": metrics(train)}) for one in record.replicas)
    guards = tuple(one.model_copy(update={"test": metrics(mae)}) for one in record.replicas)
    baseline = BaselineEntry(name="composition", parameters=6, replicas=guards)
    return record.model_copy(update={"replicas": replicas, "baselines": (baseline,)})


def test_altered_labels_are_held_to_atom_counts_on_such_labels(make_record: MakeRecord) -> None:
    noisy = _with_composition(_run(make_record, "gnn", 0.15, 1000, {"data.label_noise": 0.5}), 0.32, train=0.42)
    assert find_faults(_study(noisy).entries) == {}
    true = _with_composition(_run(make_record, "gnn", 0.2, 1000, {"data.labels": "true"}), 0.8, train=0.1)
    shuffled = _with_composition(_run(make_record, "gnn", 1.05, 1000, {"data.labels": "shuffled"}), 1.1, train=0.1)
    assert find_faults(_study(true, shuffled).entries) == {}


def test_lengths_are_told_beside_pairs_and_in_the_names_of_recipes(make_record: MakeRecord) -> None:
    records = []
    for split, kind, steps in (("a", "random", 4000), ("b", "scaffold", 8000)):
        for model, mae in (("mlp", 0.5), ("gnn", 0.3)):
            options = {"data.split": kind, "trainer.steps": steps}
            records.append(_with_composition(_run(make_record, model, mae, 1000, options, split=split), 0.9, 0.1))
    study = _study(*records)
    told = "Trained for 4,000 steps at 1,000 train molecules; 8,000 steps at 1,000 on qm9pack (scaffold)."
    assert tell_lengths(study.entries) == told
    recipes = [trial.recipe for claim in find_claims(study) for trial in claim.trials]
    assert any("trainer.steps=8000" in recipe for recipe in recipes)
