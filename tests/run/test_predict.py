"""A run predicts from its folder alone: the same numbers, no data set, and a clear message where it cannot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from ibbench.data.dataset import DataSet
from ibbench.data.pack import pack_smiles, resize
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.run.batch import Batch
from ibbench.run.execute import execute
from ibbench.run.forecast import CHUNK, Crew, forecast
from ibbench.run.plan import plan
from ibbench.run.predict import load_predictor
from ibbench.training.step import compiler

TARGETS = "targets=[u0,a,gap]"  # with atom references, with a logarithm, and with neither
SMALL = (TARGETS, "seeds=[0,1]", "budget=null", "model.width=8", "model.depth=1", "model.dropout=0.1")
FEW = ("data.train_size=100", "data.validation_size=100", "data.test_size=600", "trainer.epochs=2")
RUNS = {
    "mlp": ("model=mlp",),
    "gnn": ("model=gnn", "model.normalisation=batch", "trainer.replicas_per_pack=4"),
    "rnn": ("model=rnn",),
    "untyped": ("model=gnn", "data.graph=untyped"),
    "bfloat16": ("model=deep_sets", "precision=bfloat16"),
    "mlp_explicit": ("model=mlp", "data.hydrogens=explicit"),
    "gnn_explicit": ("model=gnn", "data.hydrogens=explicit"),
    "schnet": ("model=schnet",),
}
WITH_SMILES = [name for name in RUNS if name != "schnet"]
ELSEWHERE = """
import json, sys
from pathlib import Path
import numpy as np
from ibbench.run.predict import load_predictor

folders, smiles, output = json.loads(Path(sys.argv[1]).read_text())
predicted = {}
for name, folder in folders.items():
    predictor = load_predictor(Path(folder))
    predicted[name] = predictor.predict_smiles(smiles).numpy()
np.savez(output, **predicted)
print(*sorted(name for name in sys.modules if name.startswith("ibbench.data")))
"""


@pytest.fixture(scope="module")
def runs(
    config: Callable[..., Config],
    qm9: DataSet,
    qm9_explicit: DataSet,  # noqa: ARG001 (its cache is built once)
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """Train a tiny run of each kind; a process that has nothing but their folders predicts the test molecules."""
    base = tmp_path_factory.mktemp("runs")
    points = {name: plan(config(*RUNS[name], *SMALL, *FEW, f"results_dir={base / 'results'}")) for name in RUNS}
    for point in points.values():
        record = execute(point)
        assert record is not None
        assert record.status == "done"
    folders = {name: base / "moved" / name for name in points}
    for name, point in points.items():
        folders[name].mkdir(parents=True)
        shutil.copy(point.folder / "weights.safetensors", folders[name])
    test = points["mlp"].split.test
    request, empty = base / "request.json", base / "empty"
    empty.mkdir()
    smiles = [qm9.smiles[index] for index in test.tolist()]
    request.write_text(json.dumps([{name: str(folders[name]) for name in WITH_SMILES}, smiles, str(base / "out.npz")]))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(request)],
        env=os.environ | {"IBBENCH_CACHE": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(
        points=points,
        folders=folders,
        test=test,
        smiles=smiles,
        elsewhere=np.load(base / "out.npz"),
        modules=done.stdout.split(),
        cached=list(empty.iterdir()),
    )


def _written(runs: SimpleNamespace, name: str) -> dict[str, np.ndarray]:
    return dict(np.load(runs.points[name].folder / "predictions.npz", allow_pickle=False))


@pytest.mark.parametrize("name", WITH_SMILES)
def test_a_process_with_the_folder_alone_predicts_what_the_run_did(name: str, runs: SimpleNamespace) -> None:
    written = _written(runs, name)
    assert written["target"].tolist() == ["u0", "u0", "a", "a", "gap", "gap"]
    np.testing.assert_allclose(runs.elsewhere[name], written["prediction"], rtol=1e-6)


def test_it_loads_no_data_set(runs: SimpleNamespace) -> None:
    assert "ibbench.data.pack" in runs.modules
    assert not {"ibbench.data.dataset", "ibbench.data.cache", "ibbench.data.sources.qm9pack", "pyarrow"} & set(
        runs.modules
    )
    assert runs.cached == []


@pytest.mark.parametrize("name", RUNS)
def test_packed_molecules_are_predicted_like_the_run_did(name: str, runs: SimpleNamespace) -> None:
    point, written = runs.points[name], _written(runs, name)
    predictor = load_predictor(runs.folders[name], "cpu")
    molecules = point.dataset.molecules.select(point.split.test)
    predicted = predictor.predict(molecules)
    assert predicted.dtype == torch.float64
    assert [tuple(replica) for replica in predictor.replicas] == list(
        zip(written["target"], written["seed"], strict=True)
    )
    assert predictor.units == ["eV", "eV", "GHz", "GHz", "eV", "eV"]
    np.testing.assert_allclose(predicted, written["prediction"], rtol=1e-6)
    wider = predictor.predict(resize(molecules, molecules.padding.num_atoms + 3))
    np.testing.assert_allclose(wider, written["prediction"], rtol=1e-6 if name != "bfloat16" else 1e-2)


@pytest.mark.parametrize("name", WITH_SMILES)
def test_an_ensemble_is_the_mean_and_deviation_of_its_seeds(name: str, runs: SimpleNamespace) -> None:
    written = _written(runs, name)
    of_seeds = written["prediction"].reshape(3, 2, -1)
    (found,) = forecast(Crew((("", (runs.folders[name],)),), "cpu"), runs.smiles, len(runs.smiles))
    np.testing.assert_allclose(found.mean, of_seeds.mean(1), rtol=1e-6)
    tolerance = 3e-6 * abs(of_seeds).max((1, 2))[:, None]
    assert (abs(found.deviation - of_seeds.std(1, ddof=1)) <= tolerance).all()


def test_many_molecules_are_predicted_in_processes_as_one_by_one(runs: SimpleNamespace, qm9: DataSet) -> None:
    smiles = qm9.smiles[: 4 * CHUNK + 10]
    smiles[CHUNK + 5] = "C1CC"
    smiles[CHUNK + 6] = "C" * 100  # which others need not be padded to
    folders = tuple(runs.folders[name] for name in ("mlp", "gnn"))
    crew = Crew((("mlp", folders[:1]), ("gnn", folders[1:])), "cpu")
    chunks = list(forecast(crew, iter(smiles), len(smiles)))
    assert [len(chunk.remarks) for chunk in chunks] == [CHUNK] * 4 + [10]
    mean = np.concatenate([chunk.mean for chunk in chunks], axis=1)
    missing = np.isnan(mean)
    assert missing[:, CHUNK + 5].all()
    assert missing[:, CHUNK + 6].tolist() == [True] * 3 + [False] * 3
    assert missing.sum() == 6 + 3
    for index in (0, CHUNK - 1, CHUNK + 4, 4 * CHUNK + 9):
        for row, folder in enumerate(folders):
            alone = load_predictor(folder).predict_smiles([smiles[index]]).reshape(3, 2).mean(1)
            np.testing.assert_allclose(mean[3 * row : 3 * row + 3, index], alone, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
def test_predictions_are_compiled_where_many_molecules_of_a_size_are_to_come_and_differ_by_rounding_only(
    runs: SimpleNamespace,
) -> None:
    predictor, molecules = load_predictor(runs.folders["gnn"], "cpu"), pack_smiles(runs.smiles[:300], "implicit")
    eager = predictor.predict_possible(molecules)[0]
    predictor.compile_for(molecules, 100_000)
    assert torch.equal(predictor.predict_possible(molecules)[0], eager)
    predictor.compile_for(molecules, 10**10)
    compiled = predictor.predict_possible(molecules)[0]
    assert not torch.equal(compiled, eager)  # it was not the same code
    torch.testing.assert_close(compiled, eager, rtol=1e-5, atol=0)


@pytest.mark.slow
def test_a_sample_that_tells_the_sizes_of_many_molecules_is_predicted_with_them_once(runs: SimpleNamespace) -> None:
    crew = Crew((("", (runs.folders["mlp"],)),), "cpu")
    (few,) = forecast(crew, runs.smiles, len(runs.smiles))
    (as_of_many,) = forecast(crew, iter(runs.smiles), 50_000)  # of which only the first are asked for
    np.testing.assert_array_equal(as_of_many.mean, few.mean)
    assert as_of_many.remarks == few.remarks


def test_padding_to_little_more_than_the_own_size_changes_nothing_but_rounding(runs: SimpleNamespace) -> None:
    """A molecule beside larger ones gets what it gets padded as they are."""
    molecules = pack_smiles(["C" * size + "O" for size in (3, 12, 20, 33, 60, 100)], "implicit")
    for name in ("gnn", "rnn", "untyped"):
        predictor = load_predictor(runs.folders[name], "cpu")
        found, faults = predictor.predict_possible(molecules)
        assert not faults.too_large.any()
        # The target `a` is the exponential of what a model predicts, which multiplies the rounding of a long chain.
        torch.testing.assert_close(found, predictor.predict(molecules), rtol=5e-5, atol=0)


def test_a_molecule_that_hydrogens_make_too_large_is_not_predicted_with_them(runs: SimpleNamespace) -> None:
    molecules, places = Batch(["CCO", "C" * 60]).molecules("explicit")
    assert (places.tolist(), molecules.mask.sum(1).tolist()) == ([0], [9])
    crew = Crew((("explicit", (runs.folders["gnn_explicit"],)), ("implicit", (runs.folders["gnn"],))), "cpu")
    (found,) = forecast(crew, ["CCO", "C" * 60], 2)
    assert np.isnan(found.mean).any(0).tolist() == [False, True]
    assert "explicit: not predicted: more than 128 atoms with its hydrogens" in found.remarks[1]
    assert np.isfinite(found.mean[3:]).all()


def test_molecules_of_any_size_are_predicted_but_by_the_mlp(runs: SimpleNamespace) -> None:
    long = ["C" * 40, "CCO"]
    for name in ("gnn", "rnn", "gnn_explicit"):
        predicted = load_predictor(runs.folders[name]).predict_smiles(long)
        assert predicted.isfinite().all()
        alone = load_predictor(runs.folders[name]).predict_smiles(long[1:])
        torch.testing.assert_close(predicted[:, 1:], alone, rtol=1e-6, atol=0)  # what is beside it does not matter
    with pytest.raises(InputError, match=rf"^`{long[0]}` is too large: `mlp` takes molecules of at most 9 atoms"):
        load_predictor(runs.folders["mlp"]).predict_smiles(long)
    with pytest.raises(InputError, match=r"at most 29 atoms \(hydrogens explicit\)"):
        load_predictor(runs.folders["mlp_explicit"]).predict(pack_smiles(long, "explicit"))


def test_a_molecule_that_cannot_be_predicted_is_named_with_the_reason(runs: SimpleNamespace) -> None:
    gnn, schnet = (load_predictor(runs.folders[name]) for name in ("gnn", "schnet"))
    with pytest.raises(InputError, match="RDKit cannot parse as SMILES: `C1CC`"):
        gnn.predict_smiles(["CCO", "C1CC"])
    with pytest.raises(
        InputError, match="`CCS` has an element that was in no train molecule: its part in u0 is not known"
    ):
        gnn.predict_smiles(["CCO", "CCS"])
    with pytest.raises(InputError, match="`schnet` reads coordinates, which a SMILES does not have"):
        schnet.predict_smiles(["CCO"])
    with pytest.raises(InputError, match="molecule 0 has no coordinates, which `schnet` reads"):
        schnet.predict(pack_smiles(["CCO"], "implicit"))
    with pytest.raises(InputError, match="`gnn` reads bonds, which these molecules lack"):
        gnn.predict(pack_smiles(["CCO"], "implicit").keep({"atoms"}))
    assert gnn.predict_smiles([]).shape == (6, 0)


def _rewrite(source: Path, folder: Path, **facts: object) -> Path:
    """Write weights anew with other facts; one that is None is left out."""
    with safe_open(source / "weights.safetensors", framework="pt") as file:
        metadata, names = file.metadata(), file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
    for name, value in facts.items():
        metadata[name] = json.dumps(value)
        if value is None:
            del metadata[name]
    safetensors.torch.save_file(tensors, folder / "weights.safetensors", metadata)
    return folder


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"format_version": 4}, "written by a newer ibbench: its format is 4, and this version reads 3"),
        ({"format_version": None}, "trained before weights could predict; rerun=true makes new ones"),
        ({"features": 99}, "trained on features of version 99"),
        ({"num_atoms": 0}, "is not readable: num_atoms: Input should be greater than 0"),
        ({"replicas": None}, "is not readable: replicas: Field required"),
        ({"format_version": "one"}, "is not readable"),
        ({"replicas": [["gap", 0]]}, "target scaling is not that of 1 replicas"),
        ({"num_atoms": 12}, "not the weights of a mlp: embed.weight.*rerun=true trains it anew"),
        ({"graph": "rewired"}, "trained with data.graph=rewired, which alters a molecule at random"),
    ],
)
def test_weights_that_cannot_predict_say_why(
    facts: dict[str, object], message: str, runs: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load_predictor(_rewrite(runs.folders["mlp"], tmp_path, **facts))


def test_a_missing_or_truncated_file_is_one_clear_error(runs: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*weights.safetensors: expected the folder of a run"):
        load_predictor(tmp_path)
    content = (runs.folders["mlp"] / "weights.safetensors").read_bytes()
    for size in (0, 5, 500, len(content) - 1):
        (tmp_path / "weights.safetensors").write_bytes(content[:size])
        with pytest.raises(InputError, match=r"weights.safetensors is not readable"):
            load_predictor(tmp_path)
