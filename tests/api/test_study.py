"""A script that trains, compares and predicts gets what the commands print: the same rows, digits and remarks."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from ibbench import InputError, Study, TrainingError, compare, load_model, load_study, train
from ibbench.compare.table_file import to_csv
from tests.forked import started

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["experiment=tiny", "trainer.compile=false", "seeds=[0,1]"]
BOTH = [*TINY, "model=mlp,gnn", "targets=[gap,mu]"]
SMILES = ["CCC(=O)CCCC", "C1CC", "CCC(=O)C[Si]CC", "C" * 13, "", "CCCCCCCO"]


@pytest.fixture(scope="module")
def study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:  # noqa: ARG001
    """Train two tiny models, as a script would."""
    return train(BOTH, name="of a script", results_dir=tmp_path_factory.mktemp("here, too"))


def _run(study: Study, model: str) -> Path:
    (folder,) = study.path.glob(f"runs/{model}-*")
    return folder


def test_training_the_same_again_trains_nothing(
    study: Study, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a notebook, which can show no line that changes in place
    before = {path: path.stat().st_mtime_ns for path in study.path.glob("runs/*/*")}
    again = train(BOTH, name=study.name, results_dir=study.path.parent)
    assert {path.name for path in before} >= {"record.json", "weights.safetensors"}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.records == study.records
    printed = capfd.readouterr().out
    assert printed.count(": done before") == 2
    assert "\x1b" not in printed


def test_the_tables_are_those_that_the_command_writes(study: Study) -> None:
    assert to_csv(study.table) == (study.path / "table.csv").read_text()
    assert to_csv(study.pairs) == (study.path / "pairs.csv").read_text()
    assert (study.name, study.models, study.missing) == ("of a script", ["mlp", "gnn"], ())
    changed = study.table
    changed["mae_mean"] = 0.0  # what one caller does to a table is not what the next one gets
    assert (study.table["mae_mean"] > 0).all()


def test_predictions_of_a_study_are_what_the_command_writes(study: Study, ibbench: Command, tmp_path: Path) -> None:
    smiles = [*SMILES, 'C"C,']
    done = ibbench("predict", str(study.path), "--output", "out.csv", *smiles)
    assert done.returncode == 1, done.stderr
    assert study.predict(smiles).to_csv(index=False) == (tmp_path / "out.csv").read_text()
    assert list(study.predict(["CCO"], model="gnn")) == [
        "smiles", "gap [eV] gnn mean", "gap [eV] gnn std", "mu [D] gnn mean", "mu [D] gnn std", "remark",
    ]  # fmt: skip


def test_a_model_predicts_what_its_study_does_wherever_it_is_loaded_from(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(study, "gnn")
    monkeypatch.chdir(study.path)
    loaded = [
        load_model(run),
        load_model(str(run / "weights.safetensors")),
        load_model(study.path, model="gnn"),
        load_model(".", run.name),
        load_model(Path("runs", run.name)),
    ]
    monkeypatch.chdir(study.path.parent)
    beside = study.predict(SMILES, model="gnn")
    for model in loaded:
        predicted = model.predict(SMILES)
        assert list(predicted) == ["smiles", "gap [eV] mean", "gap [eV] std", "mu [D] mean", "mu [D] std", "remark"]
        assert predicted.set_axis(beside.columns, axis=1).equals(beside)
        assert (model.name, model.targets) == ("gnn", {"gap": "eV", "mu": "D"})
        assert model.num_seeds == {"gap": 2, "mu": 2}


def test_there_is_a_row_per_smiles_whatever_it_is(study: Study) -> None:
    model = load_model(study.path, "mlp")
    given = pd.Series(["CCC(=O)CCCC", None, "C1CC", "C" * 13, float("nan")], index=list("edcba"), name="mine")
    predicted = model.predict(given)
    assert list(predicted.index) == list("edcba")
    assert predicted["smiles"].equals(given.rename("smiles"))
    assert predicted[["gap [eV] mean", "gap [eV] std"]].notna().all(axis=1).tolist() == [True, *[False] * 4]
    remarks = predicted["remark"].tolist()
    assert remarks[:3] == ["", "not read: it is empty", "not read: RDKit cannot parse it"]
    assert remarks[3].startswith("not predicted: more than 9 atoms; no train molecule has 13 atoms")
    empty = model.predict([])
    assert (len(empty), list(empty)) == (0, list(predicted))
    assert (empty.dtypes == predicted.dtypes).all()


def test_the_order_and_the_company_of_molecules_do_not_matter(study: Study) -> None:
    smiles = ["CCC(=O)CCCC", "CCCCCCCO", "c1ccccc1C"]
    forwards, backwards = study.predict(smiles), study.predict(smiles[::-1])
    assert backwards["smiles"].tolist() == smiles[::-1]
    figures = [name for name in forwards if "[" in name]
    np.testing.assert_allclose(backwards[figures].to_numpy()[::-1], forwards[figures], rtol=1e-4)
    np.testing.assert_allclose(study.predict(smiles[:1])[figures], forwards[figures][:1], rtol=1e-4)


def test_weights_that_are_replaced_are_not_taken_for_those_before(study: Study, tmp_path: Path) -> None:
    shutil.copytree(_run(study, "gnn"), tmp_path / "run")
    model = load_model(tmp_path / "run")
    before = model.predict(["CCCCCCCO"])
    shutil.copytree(_run(study, "mlp"), tmp_path / "run", dirs_exist_ok=True)
    after = model.predict(["CCCCCCCO"])
    assert not after.equals(before)
    assert after.equals(load_model(study.path, "mlp").predict(["CCCCCCCO"]))


def test_a_study_compared_with_itself_has_not_changed(study: Study) -> None:
    for a, b in ((study, study), (study.path, str(study.path)), (study, load_study(study.path))):
        changes = compare(a, b)
        assert {verdict.partition(" ")[0] for verdict in changes.table["verdict"]} == {"identical"}
        assert len(changes.table) == len(study.table)
        assert changes.regressions.empty
        assert list(changes.regressions) == list(changes.table)
        assert not changes.changes


def test_pictures_are_drawn_and_shown_and_nothing_is_written(study: Study) -> None:
    before = sorted(study.path.rglob("*"))
    pictures = study.plot()
    assert {"cost", "parity_mu", "parity_gap"} <= set(pictures)
    assert pictures["cost"].get_axes()
    assert pictures._repr_html_().count('src="data:image/png;base64,iVBOR') == len(pictures)
    assert "no learning curve: that takes several train sizes" in pictures.remarks
    assert sorted(study.path.rglob("*")) == before


@pytest.mark.slow  # the page about Python shows it, too, and its examples run in any case
def test_a_run_that_fails_is_named_and_the_others_stay(cache: Path, tmp_path: Path) -> None:  # noqa: ARG001
    with pytest.raises(TrainingError, match=r"1 of 2 runs of .*fails are missing") as caught:
        train([*TINY, "model=mlp", "optimizer.lr=1e-3,1e30"], name="fails", results_dir=tmp_path, quiet=True)
    ((run, why),) = caught.value.failed.items()
    assert f"{run} failed: the loss was no longer finite at step" in str(caught.value)
    assert why.startswith("failed: the loss was no longer finite")
    kept = load_study(caught.value.study)
    assert [one.run for one in kept.missing] == [run]
    assert kept.models == ["mlp"]


def test_bad_input_is_one_clear_error_and_nothing_is_written(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("mine")
    model = load_model(study.path, "gnn")
    cases: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: train("model=mlp"), "is no list of options"),
        (lambda: train([1]), "is no list of options"),  # type: ignore[list-item]
        (lambda: train(["--dry-run"]), "is a flag of the command"),
        (lambda: train(["model=gmn"]), "did you mean `gnn`?"),
        (lambda: train(["name=a"], name="b"), "`name` is given twice"),
        (lambda: train([*TINY, "targets=[gapp]"]), "`targets=[gapp]` is not a target of this data set"),
        (lambda: load_study("results/none"), "results/none"),
        (lambda: load_model("none"), "there is no folder none"),
        (lambda: load_model("note.txt"), "note.txt is no trained model"),
        (lambda: load_model(study.path), "expected model= with one of `mlp`, `gnn`"),
        (lambda: load_model(study.path, "gmn"), f"`model gmn` is not in {study.path}: did you mean `gnn`?"),
        (lambda: model.predict("CCO"), "is no list of SMILES: expected one, such as ['CCO']"),
        (lambda: model.predict(["CCO", 3]), "molecule 1 is `3`: expected a SMILES"),  # type: ignore[list-item]
        (lambda: model.predict(["CCO"], "etkgd"), "did you mean `etkdg`?"),
        (lambda: model.predict(["CCO"], "etkdg"), "`geometry etkdg` has no meaning here"),
        (lambda: study.predict(["CCO"], model=["gnn", "gmn"]), "did you mean `gnn`?"),
        (lambda: study.worth(), "expected a model trained at two sizes"),
        (lambda: study.plot("time"), "time"),
        (lambda: compare(study, "none"), "there is no `none`"),
        (lambda: compare(study, study, tolerance=2), "tolerance 2 is not possible"),
        (lambda: compare(study, study, relevance=0), "relevance 0 is not possible"),
    )
    for call, message in cases:
        with pytest.raises(InputError) as caught:
            call()
        assert message in str(caught.value)
        assert "--" not in str(caught.value).replace("`--dry-run`", "")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


LONG = """\
import signal
import ibbench
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
try:
    ibbench.train(OPTIONS, name="long")
except KeyboardInterrupt:
    print("interrupted", (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_training_ends_with_the_script_and_what_is_trained_is_saved(
    number: signal.Signals,
    cache: Path,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    options = [*TINY, "model=mlp,gnn", "trainer.epochs=100000", "trainer.checkpoint_seconds=0.1"]
    (tmp_path / "long.py").write_text(LONG.replace("OPTIONS", repr(options)))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with started([sys.executable, "long.py"], cwd=tmp_path, env=environment) as script:
        assert script.stdout
        while len({path.parent for path in tmp_path.glob("results/long/runs/*/checkpoint-*")}) < 2:
            assert script.poll() is None
        processes = psutil.Process(script.pid).children(recursive=True)
        assert len(processes) > 1
        script.send_signal(number)
        printed = script.stdout.read()
        _, alive = psutil.wait_procs(processes, timeout=60)
        assert not alive
    assert ("interrupted True" in printed) == (number == signal.SIGINT)
    assert ("the same command goes on from there" in printed) == (number == signal.SIGINT)
    assert not list(tmp_path.glob("results/long/runs/*/record.json"))
    assert not list(tmp_path.glob("results/long/runs/*/lock"))
