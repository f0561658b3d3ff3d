"""Baselines made by hand: added to runs without another training, compared as models are, and predicting as they do."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibbench.data.dataset import DataSet
from ibbench.record.predictions import Predictor, read_predictions
from ibbench.record.schema import read_record
from tests.forked import run_command

pytestmark = pytest.mark.slow
Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "experiment=tiny", "model=mlp", "targets=[gap,mu]", "seeds=[0,1]", "trainer.compile=false"]
PAIRS = ["flat:4+ridge", "morgan+ridge", "coulomb+kernel_ridge"]
ASKED = f"baselines=[{','.join(PAIRS)}]"


@pytest.fixture(scope="module")
def study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Train a model, and ask for baselines when it is done."""
    folder = tmp_path_factory.mktemp("hand_made")
    assert run_command(TINY, folder).returncode == 0
    (run,) = (folder / "results/tiny/runs").glob("mlp-*")
    shutil.copytree(run, folder / "before")
    added = run_command([*TINY, ASKED], folder)
    assert added.returncode == 0, added.stderr
    assert f"{run.name}: adding {', '.join(PAIRS)}" in added.stdout
    return folder / "results/tiny"


def _run(study: Path) -> Path:
    (run,) = study.glob("runs/mlp-*")
    return run


def test_a_baseline_asked_for_later_trains_nothing_again(study: Path) -> None:
    before, run = study.parents[1] / "before", _run(study)
    for name in ("weights.safetensors", "history.csv", "domain.safetensors"):
        assert (before / name).read_bytes() == (run / name).read_bytes()
    old, new = (read_record(folder / "record.json") for folder in (before, run))
    assert new.model_copy(update={"baselines": old.baselines}) == old
    assert [entry.name for entry in new.baselines] == ["mean", "composition", *PAIRS]
    kept, found = (read_predictions(folder, record) for folder, record in ((before, old), (run, new)))
    assert set(found) - set(kept) == {
        Predictor(target, seed, name) for target in ("gap", "mu") for seed in (0, 1) for name in PAIRS
    }
    for who, (truth, predicted) in kept.items():
        assert np.array_equal(found[who], (truth, predicted))
    again = run_command([*TINY, ASKED], study.parents[1])
    assert "done before" in again.stdout
    assert "adding" not in again.stdout


def test_a_death_between_predictions_and_record_costs_no_training(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "results/tiny")
    run = _run(tmp_path / "results/tiny")
    shutil.copy(study.parents[1] / "before/record.json", run)
    assert len(read_predictions(run, read_record(run / "record.json"))) == 4 * 3  # the record lacks the others
    added = run_command([*TINY, ASKED], tmp_path)
    assert added.returncode == 0, added.stderr
    assert read_record(run / "record.json").baselines == read_record(_run(study) / "record.json").baselines
    assert (run / "weights.safetensors").read_bytes() == (_run(study) / "weights.safetensors").read_bytes()


def test_a_table_has_them_between_baselines_and_models(study: Path) -> None:
    table = pd.read_csv(study / "table.csv")
    assert list(table.query("target == 'gap'")["model"]) == ["mean", "composition", *PAIRS, "mlp"]
    pairs = pd.read_csv(study / "pairs.csv")
    assert {(a, b) for a, b in pairs[["a", "b"]].itertuples(index=False)} >= {(PAIRS[0], "mlp"), (PAIRS[1], "mlp")}


@pytest.mark.parametrize("pair", ["morgan+ridge", "flat:4+ridge"])
def test_predictions_are_those_of_the_run(pair: str, study: Path, qm9: DataSet) -> None:
    run = _run(study)
    record = read_record(run / "record.json")
    index = np.load(run / "predictions.npz")["index"][:4]
    smiles = [qm9.smiles[place] for place in index]
    shown = run_command(["predict", str(study), *smiles, "--model", pair, "--format", "json"], study)
    assert shown.returncode == 0, shown.stderr
    predicted = read_predictions(run, record)
    for place, molecule in enumerate(json.loads(shown.stdout)["molecules"]):
        for part in molecule["predictions"]:
            of_seeds = [predicted[Predictor(part["target"], seed, pair)][1][place] for seed in (0, 1)]
            spread = {entry.target: entry.test.mae for entry in record.replicas}[part["target"]]
            assert part["mean"] == pytest.approx(np.mean(of_seeds), abs=spread / 20)  # errors are rounded to 1/40
            assert part["model"] == pair


def test_models_and_pairs_predict_side_by_side(study: Path) -> None:
    shown = run_command(["predict", str(study), "CCO", "--model", "mlp,morgan+ridge", "--format", "json"], study)
    assert shown.returncode == 0, shown.stderr
    (molecule,) = json.loads(shown.stdout)["molecules"]
    assert [part["model"] for part in molecule["predictions"]] == ["mlp", "mlp", "morgan+ridge", "morgan+ridge"]


def test_what_reads_coordinates_needs_them_made(study: Path) -> None:
    refused = run_command(["predict", str(study), "CCO", "--model", "coulomb+kernel_ridge"], study)
    assert refused.returncode == 2
    assert "`coulomb+kernel_ridge` reads coordinates, which a SMILES does not have: --geometry etkdg" in refused.stderr
    words = [
        "predict",
        str(study),
        "CCO",
        "C" * 20,
        "--model",
        "coulomb+kernel_ridge",
        "--geometry",
        "etkdg",
        "--format",
        "json",
    ]
    small, large = json.loads(run_command(words, study).stdout)["molecules"]
    assert all(part["mean"] is not None for part in small["predictions"])
    assert all(part["mean"] is None for part in large["predictions"])
    assert "not predicted: larger than all molecules it was fitted to" in large["remark"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["predict", "{study}", "CCO", "--model", "morgan+boosting"], "`--model morgan+boosting` is not in"),
        ([*TINY, "baselines=[morgan+forest]"], "`forest` is not a regression"),
        ([*TINY, "model=mlp,deep_sets", "baselines=[morgan+ridge],[morgan+boosting]"], "have the same baselines"),
        ([*TINY, "baselines=[morgan+ridge,morgan+ridge]"], "names the same entry twice"),
    ],
)
def test_mistakes_are_one_line(study: Path, words: list[str], told: str) -> None:
    run = run_command([word.format(study=study) if "{study}" in word else word for word in words], study.parents[1])
    assert run.returncode == 2
    assert told in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_curves_have_them_beside_models(study: Path) -> None:
    folder = study.parents[1]
    larger = run_command([*TINY, "baselines=[morgan+ridge]", "data.train_size=128"], folder)
    assert larger.returncode == 0, larger.stderr
    worth = run_command(["worth", str(study)], folder)
    assert worth.returncode == 0, worth.stderr
    compared = pd.read_csv(study / "multipliers.csv")
    assert {"mlp", "morgan+ridge"} <= set(compared["a"])
    assert {"mean", "composition"}.isdisjoint({*compared["a"], *compared["b"]})
