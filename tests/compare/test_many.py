"""Large studies: what is read is read once, and what makes it quick changes nothing."""

from pathlib import Path

import numpy as np
import pytest

from ibbench.compare.pairs import compare_pairs
from ibbench.compare.study import gather, read_study
from ibbench.errors import InputError
from ibbench.record.folder import RECORD, RunIdentity, StudyFolder, read_finished
from ibbench.record.predictions import Predictor, read_errors, read_predictions, write_predictions
from ibbench.record.schema import write_record
from tests.compare.conftest import MakeRecord, WriteStudy


def test_pairs_are_those_of_one_variant_and_those_with_the_best(make_record: MakeRecord) -> None:
    rates = {0.001: 0.3, 0.002: 0.4, 0.004: 0.5}
    records = [
        make_record(model, {("gap", 0): mae + extra}, lr=lr, baselines=False)
        for model, extra in (("mlp", 0.05), ("gnn", 0.0))
        for lr, mae in rates.items()
    ]
    pairs = {(a.model, a.variant[-5:], b.model, b.variant[-5:]) for a, b in compare_pairs(gather("s", records).entries)}
    best = ("gnn", "0.001")
    of_variant = {("mlp", f"{lr}", "gnn", f"{lr}") for lr in rates}
    others = {("mlp", f"{lr}") for lr in rates} | {("gnn", "0.002"), ("gnn", "0.004")}
    with_best = {(*other, *best) if other[0] == "mlp" else (*best, *other) for other in others}
    assert pairs == of_variant | with_best


def test_predictions_of_an_older_version_are_read(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record("gnn", {("gap", 0): 0.5, ("gap", 1): 0.5})
    arrays = {"index": np.arange(9), "ids": np.arange(9), "truth": np.ones((2, 9)), "prediction": np.full((2, 9), 1.5)}
    write_predictions(tmp_path, replicas=[("gap", 0), ("gap", 1)], **arrays)
    now = read_predictions(tmp_path, record)
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as content:
        np.savez_compressed(tmp_path / "old.npz", **content)
    (tmp_path / "old.npz").replace(tmp_path / "predictions.npz")
    then = read_predictions(tmp_path, record)
    assert now.keys() == then.keys() == {Predictor("gap", 0), Predictor("gap", 1)}
    assert all(np.array_equal(now[replica], then[replica]) for replica in now)


def test_errors_of_baselines_come_from_any_file_that_has_them(make_record: MakeRecord, write_study: WriteStudy) -> None:
    maes = {("gap", 0): 0.5, ("gap", 1): 0.6}
    records = [make_record("gnn", maes), make_record("mlp", maes)]
    study = write_study("old", *records)
    assert read_errors(study / "runs" / records[0].run, records[0]).keys() == {
        Predictor(*replica, baseline) for replica in maes for baseline in ("", "mean")
    }
    for number, record in enumerate(records):  # as an older version has left it: finished, without them
        path = study / "runs" / record.run / "predictions.npz"
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content if not name.startswith("baseline")}
        assert len(arrays) < 8
        np.savez(path, **arrays)
        baseline = read_study(study).entries[0]
        assert baseline.key.model == "mean"
        assert (baseline.sample.errors is None) == (number == 1)
    assert read_study(study).entries[1].sample.errors is not None


def test_errors_of_baselines_must_be_those_of_the_record(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record("gnn", {("gap", 0): 0.5})
    arrays = {"index": np.arange(9), "ids": np.arange(9), "truth": np.ones((1, 9)), "prediction": np.full((1, 9), 1.5)}
    write_predictions(tmp_path, replicas=[("gap", 0)], baselines={"mean": np.full((1, 9), 1.1)}, **arrays)
    with pytest.raises(InputError, match="not of the same run"):
        read_predictions(tmp_path, record)
    of_models = read_predictions(tmp_path, record, baselines=False)
    # A baseline that the record does not name was about to be added when a process died.
    write_predictions(tmp_path, replicas=[("gap", 0)], baselines={"of_tomorrow": np.full((1, 9), 2.0)}, **arrays)
    assert read_predictions(tmp_path, record).keys() == of_models.keys()
    write_predictions(tmp_path, replicas=[("gap", 0)], baselines={"mean": np.full((2, 9), 2.0)}, **arrays)
    with pytest.raises(InputError, match="do not fit together"):
        read_predictions(tmp_path, record)


def test_a_record_is_read_again_only_when_its_file_has_changed(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    records = [make_record(model, {("gap", 0): 0.5}, lr=lr) for model in ("gnn", "mlp") for lr in (0.1, 0.2, 0.3)]
    study = StudyFolder.at(write_study("planned", *records))
    first = study.records()
    assert all(again is before for again, before in zip(study.records(), first, strict=True))
    assert read_finished(study.runs / first[0].run) is first[0]
    write_record(study.runs / first[0].run, first[0].model_copy(update={"device": "another"}))
    assert [record.device for record in study.records()] == ["another", *(record.device for record in first[1:])]
    (study.runs / first[1].run / RECORD).unlink()
    assert study.finished(first[1].run) is None


def test_doubles_are_sought_among_the_models_that_are_planned(make_record: MakeRecord, write_study: WriteStudy) -> None:
    records = [make_record(model, {("gap", 0): 0.5}, lr=lr) for model in ("gnn", "mlp") for lr in (0.1, 0.2, 0.3)]
    study = StudyFolder.at(write_study("planned", *records))
    (study.runs / records[-1].run / RECORD).write_text("broken, of a model that nobody asks for")
    planned = [RunIdentity(one.run, one.config, one.data_source, one.split_fingerprint) for one in records[:3]]
    study.refuse_doubles(planned)
    with pytest.raises(InputError, match=f"{planned[1].run} is a run of the same config"):
        study.refuse_doubles([planned[0], planned[1]._replace(run="gnn-of-a-third"), planned[2]])
