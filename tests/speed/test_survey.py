"""A survey of a device: what it measures, that it goes on, and what it makes of the figures."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS
from ibbench.options.compose import compose_config
from ibbench.report import markdown
from ibbench.report.survey import page
from ibbench.speed.survey.folder import FOLDER, Taken, read_taken, write_taken
from ibbench.speed.survey.measurement import FULL, SMALL, Measurement, list_measurements
from ibbench.speed.survey.process import Surveyor
from ibbench.speed.survey.tables import AGREEMENT, PRECISION, RATES, TABLES, fastest_ways, make_tables

TINY = ("device=cpu", "budget=null", "model.width=8", *SMALL.short)


def _everything() -> list[Measurement]:
    precisions = ("float32", "tf32", "bfloat16")
    return list_measurements(["device=cuda"], FULL, checked=["gnn", "schnet"], peers=["gnn"], precisions=precisions)


def _taken(name: str, kind: str, *rows: dict) -> Taken:
    return Taken(name, kind, "done", list(rows), 1.0, "", "a GPU", ())


def test_every_size_is_measured_once_in_every_way_and_the_ends_first() -> None:
    names = [measurement.name for measurement in _everything()]
    assert len(set(names)) == len(names)
    for model in STANDARD_MODELS:
        for way in ("eager", "compiled", "graphs"):
            wanted = [f"rate-{model}-{way}-{r}x{b}" for r in (1, 4, 16, 36) for b in (32, 128, 512)]
            assert set(wanted) <= set(names)
            assert names.index(f"rate-{model}-{way}-36x512") < names.index(f"rate-{model}-graphs-4x128")
        assert {f"error-{model}-{precision}" for precision in ("float32", "tf32", "bfloat16")} <= set(names)
    assert {name for name in names if name.startswith("peer")} == {
        f"peer-gnn-{way}-{size}" for way in ("eager", "compiled") for size in (32, 128, 512)
    }
    assert "agreement-schnet-eager" in names
    assert sum(name.startswith("rate") for name in names) == 4 * 3 * (12 + 1)


def test_options_of_all_measurements_are_possible() -> None:
    measurements = _everything()
    for measurement in {(one.kind, one.way): one for one in measurements}.values():
        config = compose_config(measurement.overrides)
        assert config.device == "cuda"
        assert config.trainer.compile == {"eager": False, "compiled": True, "graphs": "graphs"}[measurement.way]


def _rate(way: str, replicas: int, batch_size: int, rate: float) -> Taken:
    row = {
        "model": "gnn", "who": "ours", "replicas": replicas, "batch_size": batch_size, "way": way,
        "molecules_per_second": rate, "low": rate, "high": rate, "begin_seconds": 1.0,
    }  # fmt: skip
    return _taken(f"{way}{replicas}", "rate", row)


def test_the_cost_of_the_standard_study_follows_from_the_rate_of_its_sizes() -> None:
    found = [_rate("eager", 36, 256, 1e5), _rate("graphs", 36, 256, 4e5), _rate("graphs", 36, 512, 9e5)]
    rates = make_tables(found, FULL, standard_molecules=36 * 110_000 * 100)[RATES]
    hours = rates["standard_hours"].tolist()
    assert hours[:2] == pytest.approx([1.1, 0.275])
    assert pd.isna(hours[2])
    assert fastest_ways(rates) == {"gnn": "graphs"}


def test_a_change_by_precision_is_told_in_deviations_over_seeds() -> None:
    shared = {"model": "gnn", "target": "gap", "unit": "eV", "molecules_per_second": 1.0}
    found = [
        _taken(precision, "error", *(shared | {"precision": precision, "seed": seed, "error": error}
                                     for seed, error in enumerate(errors)))
        for precision, errors in {"float32": (1.0, 2.0, 3.0), "tf32": (1.5, 2.5, 3.5)}.items()
    ]  # fmt: skip
    table = make_tables(found, FULL, 1)[PRECISION]
    assert table["error_mean"].tolist() == [2.0, 2.5]
    assert pd.isna(table["change"][0])
    assert table["change_over_std"][1] == pytest.approx(0.5)


def test_a_page_says_what_disagrees_and_what_could_not_be_measured() -> None:
    row = dict(zip(TABLES[AGREEMENT], ("gnn", "cpu", "graphs", 0.2, 0.3, False), strict=True))
    bad = Taken("peer-gnn-eager-32", "peer", "too slow", [], 120.0, "it took longer than 120 s", "a GPU", ())
    tables = make_tables([_taken("one", "agreement", row)], FULL, 1)
    text = markdown.write(page("survey", tables, ["rate-gnn-eager-1x32"], [bad], "a GPU", has_gpu=True))
    for told in ("2.0e-01", "NO", "it took longer than 120 s", "Not measured yet: 1", "Device: a GPU."):
        assert told in text
    assert "No GPU was measured." not in text
    assert "No GPU was measured." in markdown.write(page("survey", tables, [], [], "a CPU", has_gpu=False))


def test_only_measurements_of_the_same_options_and_device_count(tmp_path: Path) -> None:
    wanted = _everything()[:2]
    for measurement in wanted:
        write_taken(tmp_path, _taken(measurement.name, "agreement")._replace(overrides=measurement.overrides))
    assert list(read_taken(tmp_path, wanted, "a GPU")) == [one.name for one in wanted]
    other = [wanted[0]._replace(overrides=("model=mlp",)), wanted[1]]
    assert list(read_taken(tmp_path, other, "a GPU")) == [wanted[1].name]
    with pytest.raises(InputError, match="has measurements of another device, a GPU; this one is a CPU"):
        read_taken(tmp_path, wanted, "a CPU")
    (tmp_path / FOLDER / f"{wanted[0].name}.json").write_text("{")
    with pytest.raises(InputError, match="is damaged: remove it"):
        read_taken(tmp_path, wanted, "a GPU")


@pytest.mark.slow
def test_what_is_too_slow_or_fails_takes_nothing_else_with_it() -> None:
    overrides = (*TINY, "model=mlp", "trainer.compile=false")
    good = Measurement("good", "resume", overrides, "eager", 300.0)
    with Surveyor("a CPU") as surveyor:
        slow = surveyor.take(good._replace(limit_seconds=0.01))
        assert (slow.status, slow.rows) == ("too slow", [])
        failed = surveyor.take(good._replace(overrides=(*overrides, "targets=[nothing]")))
        assert failed.status == "failed"
        assert "`targets=[nothing]` is not a target" in failed.message
        done = surveyor.take(good)
    assert (done.status, done.message) == ("done", "")
    assert done.rows[0]["predictions_apart"] == done.rows[0]["errors_apart"] == 0


@pytest.mark.slow
def test_a_survey_measures_everything_and_then_only_what_is_missing(
    ibbench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    words = ["survey", "--small", "device=cpu", "model=mlp", "trainer.compile=false"]
    stopped = ibbench(*words, "--minutes", "0.0001")
    assert stopped.returncode == 0, stopped
    assert "Time is up: 11 are left" in stopped.stdout
    done = ibbench(*words)
    assert done.returncode == 0, done
    study = tmp_path / "results" / "survey"
    for name, columns in TABLES.items():
        table = pd.read_csv(study / name)
        assert table.columns.tolist() == list(columns)
        assert len(table)
    assert pd.read_csv(study / AGREEMENT)["agrees"].all()
    assert "No GPU was measured." in (study / "table.md").read_text()
    files = {path: path.stat().st_mtime_ns for path in study.glob("measurements/*.json")}
    assert len(files) == 11
    assert all(json.loads(path.read_text())["status"] == "done" for path in files)
    removed = study / FOLDER / "rate-mlp-eager-1x8.json"
    removed.unlink()
    again = ibbench(*words)
    assert "1 of 1  rate-mlp-eager-1x8" in again.stdout
    assert [path for path, at in files.items() if path.stat().st_mtime_ns != at] == [removed]
    for wrong, message in (
        (["device=cuda:99"], "`device=cuda:99` is not possible"),
        (["--minutes", "0"], "--minutes must be above 0"),
    ):
        refused = ibbench(*words, *wrong)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused
