"""A study without its runs, as a fresh clone has it, says the same from its evidence, to the last digit."""

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.diff import diff
from ibbench.compare.side import read_side
from ibbench.compare.study import read_study
from ibbench.errors import InputError
from ibbench.record.agenda import Planned, write_agenda
from ibbench.record.evidence import Evidence, pack_evidence, round_errors
from ibbench.record.folder import EVIDENCE, StudyFolder, read_finished, read_records
from ibbench.record.predictions import Predictions, open_predictions, read_errors, read_predictions
from ibbench.record.schema import write_record

QUIET = Console(quiet=True)
FIXTURES = Path(__file__).parents[1] / "report" / "fixtures"


def _study(name: str, folder: Path) -> Path:
    """Return a copy of a study of real trainings, with its tables and its evidence."""
    study = folder / name
    shutil.copytree(FIXTURES / name, study)
    tabulate(study, QUIET)
    return study


@pytest.fixture(scope="module")
def tabulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _study("curve", tmp_path_factory.mktemp("tabulated"))


@pytest.fixture
def curve(tabulated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tabulated, tmp_path / "curve"))


def _files(study: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in study.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["mixed", "tuned"])
def test_every_table_is_rebuilt_to_the_byte(name: str, tmp_path: Path) -> None:
    study = _study(name, tmp_path)
    before = _files(study)
    shutil.rmtree(study / "runs")
    for file in before.keys() - {EVIDENCE, "study.json"}:
        (study / file).unlink()
    printed = Console(file=io.StringIO(), width=200)
    tabulate(study, printed)
    assert f"Read from {study / EVIDENCE}" in printed.file.getvalue()  # type: ignore[attr-defined]
    assert _files(study) == before
    tabulate(study, QUIET)
    assert _files(study) == before


def test_predictions_and_errors_are_those_of_the_runs(curve: Path) -> None:
    def read() -> dict[str, np.ndarray]:
        found = {}
        for record in read_records(curve):
            folder = curve / "runs" / record.run
            errors, predictions = read_errors(folder, record), read_predictions(folder, record)
            assert errors.keys() == predictions.keys()
            assert len(errors) >= len(record.replicas)
            found[record.run] = np.concatenate(
                [*errors.values(), *(row for rows in predictions.values() for row in rows)]
            )
        return found

    before = read()
    shutil.rmtree(curve / "runs")
    after = read()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[run], after[run]) for run in before)


def test_rounding_changes_an_error_by_an_eightieth_of_the_mae_at_most() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(7, 1.3, size=(3, 10_000))
    prediction = truth + rng.laplace(scale=[[1e-30], [0.3], [1e30]], size=truth.shape)
    prediction[0] = truth[0]
    rounded = round_errors(prediction, truth)
    errors = prediction - truth
    assert np.array_equal(rounded.mae, np.abs(errors).mean(1))
    assert (np.abs(rounded.errors - errors) <= rounded.mae[:, None] / 80 * (1 + 1e-9)).all()
    assert np.var(rounded.errors[1]) == pytest.approx(np.var(errors[1]), rel=3e-4)


def test_a_missing_class_has_no_error_and_gives_no_warning() -> None:
    truth = np.array([[1.0, np.nan, 0.0]])
    rounded = round_errors(np.zeros((1, 3)), truth, np.array([True]))
    assert rounded.mae == pytest.approx(np.log(2))
    assert rounded.errors[0] == pytest.approx([-np.log(2), 0, np.log(2)])


def test_what_other_versions_add_to_predictions_is_kept_and_what_runs_share_is_there_once(curve: Path) -> None:
    study = StudyFolder.at(curve)
    records = study.records()
    first, second = (record.run for record in records[:2])
    written = open_predictions(study.runs / first)
    assert written
    truth = written.plain("truth")
    baselines = truth + np.random.default_rng(0).standard_cauchy(size=(2, *truth.shape))  # some of hundreds of MAEs
    more = {"baseline": np.array(["mean", "composition"]), "baseline_prediction": baselines}

    def arrays_of(run: str) -> Predictions | None:
        arrays = open_predictions(study.runs / run)
        assert arrays
        if run not in {first, second}:
            return arrays
        content = io.BytesIO()
        np.savez(content, **more, **{name: arrays.plain(name) for name in arrays.names()})
        return Predictions(content.getvalue())

    content = pack_evidence(records, arrays_of)
    evidence = Evidence(content, "evidence")
    for run in (first, second):
        arrays = evidence.arrays(run)
        assert arrays is not None
        assert arrays.plain("baseline").tolist() == ["mean", "composition"]
        assert np.array_equal(arrays.rounded("baseline_prediction").errors, round_errors(baselines, truth).errors)
        assert np.array_equal(arrays.plain("index"), written.plain("index"))
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert sum(name.startswith("baseline_prediction-") for name in names) == 3
    assert "baseline" not in evidence.arrays(records[2].run)  # type: ignore[operator]


def test_evidence_of_other_tables_is_refused(curve: Path, tmp_path: Path) -> None:
    other = _study("mixed", tmp_path)
    shutil.rmtree(curve / "runs")
    shutil.copy(other / EVIDENCE, curve / EVIDENCE)
    with pytest.raises(InputError, match="is not the evidence of the tables beside it"):
        tabulate(curve, QUIET)


def test_evidence_that_comes_alone_goes_on_being_read(curve: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(curve / EVIDENCE, alone)
    for _ in range(2):
        tabulate(alone, QUIET)
        assert len(read_study(alone).entries) == len(read_study(curve).entries)


def test_a_broken_file_is_one_message(tmp_path: Path) -> None:
    for content in (
        b"",
        b"PK\x03\x04 no zip",
        _zip("{}"),
        _zip('{"schema_version": 9}'),
        _zip('{"schema_version": 1}'),
    ):
        (tmp_path / EVIDENCE).write_bytes(content)
        with pytest.raises(InputError, match=r"evidence\.zip is not readable"):
            StudyFolder(tmp_path).records()


def _zip(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("evidence.json", text)
    return content.getvalue()


def _keep_only(curve: Path, kept: Sequence[str], away: Path) -> None:
    shutil.move(curve / "runs", away)
    for run in kept:
        shutil.copytree(away / run, curve / "runs" / run)


def test_runs_go_before_evidence_and_evidence_is_no_finished_run(curve: Path, tmp_path: Path) -> None:
    records = read_records(curve)
    _keep_only(curve, [records[0].run], tmp_path / "away")
    runs = curve / "runs"
    assert read_finished(runs / records[1].run) is None
    (runs / records[0].run / "predictions.npz").unlink()
    assert read_errors(runs / records[0].run, records[0]) == {}


@pytest.mark.parametrize("kept", [slice(1), slice(None, None, 3)])
def test_a_study_that_a_clone_goes_on_with_is_the_same_as_one_that_was_trained_in_one_place(
    curve: Path, tmp_path: Path, kept: slice
) -> None:
    before = _files(curve)
    _keep_only(curve, [record.run for record in read_records(curve)][kept], tmp_path / "away")
    printed = Console(file=io.StringIO(), width=200)
    tabulate(curve, printed)
    assert "of the runs were not trained here" in printed.file.getvalue()  # type: ignore[attr-defined]
    assert _files(curve) == before


def test_a_run_that_was_to_be_trained_here_is_not_taken_from_the_evidence(curve: Path, tmp_path: Path) -> None:
    first, second, *others = read_records(curve)
    _keep_only(curve, [first.run], tmp_path / "away")
    write_agenda(curve, [Planned(run=second.run, point="", key="", molecule_steps=1, flops=1.0)])
    assert read_records(curve) == [first, *others]
    assert [missing.run for missing in read_study(curve).missing] == [second.run]


def test_a_config_that_was_trained_again_under_another_name_is_there_once(curve: Path, tmp_path: Path) -> None:
    first, *others = read_records(curve)
    _keep_only(curve, [first.run], tmp_path / "away")
    renamed = first.model_copy(update={"run": f"{first.run[:-10]}0123456789"})
    (curve / "runs" / first.run).rename(curve / "runs" / renamed.run)
    write_record(curve / "runs" / renamed.run, renamed)
    assert {record.run for record in read_records(curve)} == {renamed.run, *(record.run for record in others)}


def test_it_tells_nothing_of_the_machine(curve: Path) -> None:
    path = next(curve.glob("runs/*/record.json"))
    record = json.loads(path.read_text())
    made = {"at": "2026-01-01T00:00:00+00:00", "host": "someones-laptop", "command": "ibbench train", "revision": "abc"}
    path.write_text(json.dumps(record | {"made": made}))
    tabulate(curve, QUIET)
    text = zipfile.ZipFile(curve / EVIDENCE).read("evidence.json").decode()
    assert "someones-laptop" not in text
    assert '"revision": "abc"' in text


def test_a_revision_counts_molecules_by_its_evidence(
    curve: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / ".gitignore").write_text("runs/\n")
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "results"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    compared = diff(read_side("HEAD:curve"), read_side("curve"), 0.0)
    assert {row.verdict.word for row in compared.rows} == {"identical"}
    assert "predictions" in {row.basis for row in compared.rows}
    by_table = diff(read_side("HEAD:curve/table.csv"), read_side("curve"), 0.0)
    assert "predictions" not in {row.basis for row in by_table.rows}
    (curve / "study.json").write_text('{"checksums": {"evidence.zip": "0"}}')
    subprocess.run(["git", *identity, "commit", "-qam", "stale"], check=True)
    with pytest.raises(InputError, match=r"HEAD:curve/evidence\.zip is not the evidence of the tables beside it"):
        read_side("HEAD:curve")
