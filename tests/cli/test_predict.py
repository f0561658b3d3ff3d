"""`ibbench predict`: the numbers of the run, from its folder alone, with a remark on what not to trust."""

import csv
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from ibbench.data.dataset import DataSet
from ibbench.data.splits import split_dataset
from ibbench.options.config import Config
from tests.forked import run_command

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "+experiment=tiny", "trainer.compile=false"]
UNREADABLE = "C1CC"
LARGE = "C" * 13


@pytest.fixture(scope="module")
def study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Train tiny models, and leave them where there is nothing else."""
    folder = tmp_path_factory.mktemp("predict")
    trained = run_command([*TINY, "model=mlp,gnn,schnet", "targets=[gap,u0]", "seeds=[0,1,2]"], folder)
    assert trained.returncode == 0, trained.stderr
    return folder / "results" / "tiny"


def _run(study: Path, model: str) -> Path:
    (folder,) = study.glob(f"runs/{model}-*")
    return folder


def _write(path: Path, smiles: list[str], column: str = "smiles") -> Path:
    path.write_text(f"{column}\n" + "".join(f"{text}\n" for text in smiles))
    return path


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _remark(ibbench: Command, study: Path, smiles: str, *options: str) -> tuple[str, dict[str, float | None]]:
    """Return the remark on a molecule, and its means by model and target."""
    (one,) = json.loads(ibbench("predict", str(study), smiles, "--format", "json", *options).stdout)["molecules"]
    return one["remark"], {f"{part['model']} {part['target']}": part["mean"] for part in one["predictions"]}


def test_test_molecules_are_predicted_as_the_run_did_without_the_data_set(
    study: Path, qm9: DataSet, tmp_path: Path
) -> None:
    written = np.load(_run(study, "gnn") / "predictions.npz")
    smiles = [qm9.smiles[index] for index in written["index"]]
    request = _write(tmp_path / "in.csv", smiles)
    elsewhere = (
        "import sys; sys.modules.update({'qm9pack': None, 'ibbench.data.sources.qm9pack': None}); "
        "from ibbench.cli import main; main()"
    )
    command = ["predict", study, "--model", "gnn,mlp", "--input", request, "--output", tmp_path / "out.csv"]
    done = subprocess.run(
        [sys.executable, "-c", elsewhere, *command],
        env=os.environ | {"IBBENCH_CACHE": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "empty").exists()
    rows = _read(tmp_path / "out.csv")
    assert [row["smiles"] for row in rows] == smiles
    assert list(rows[0]) == [
        "smiles",
        *(
            f"{target} [eV] {model} {statistic}"
            for model in ("mlp", "gnn")
            for target in ("gap", "u0")
            for statistic in ("mean", "std")
        ),
        "remark",
    ]
    for model in ("mlp", "gnn"):
        written = np.load(_run(study, model) / "predictions.npz")
        for target in ("gap", "u0"):
            of_seeds = written["prediction"][written["target"] == target]
            assert of_seeds.shape == (3, 200)
            found = {part: [float(row[f"{target} [eV] {model} {part}"]) for row in rows] for part in ("mean", "std")}
            np.testing.assert_allclose(found["mean"], of_seeds.mean(0), rtol=1e-6)
            np.testing.assert_allclose(
                found["std"], of_seeds.std(0, ddof=1), rtol=1e-2, atol=2e-5 * abs(of_seeds).max()
            )


def test_a_remark_says_what_no_train_molecule_has(ibbench: Command, study: Path) -> None:
    models = ("--model", "mlp,gnn")
    remark, means = _remark(ibbench, study, "CCC(=O)CCCC", *models)
    assert (remark, None in means.values()) == ("", False)
    remark, means = _remark(ibbench, study, "CCC(=O)C[Si]CC", *models)
    assert "no train molecule has Si" in remark
    assert "u0 not predicted: the part of an element in it is not known" in remark
    assert means["gnn u0"] is None
    remark, means = _remark(ibbench, study, LARGE, *models)
    assert "mlp: not predicted: more than 9 atoms" in remark
    assert "no train molecule has 13 atoms" in remark
    assert math.isfinite(means["gnn gap"] or math.nan)
    assert means["mlp gap"] is None
    for smiles, charge in (("CCC(=O)CCC[O-]", "-1"), ("CCC(=O)CCC[NH3+]", "+1")):
        remark, means = _remark(ibbench, study, smiles, *models)
        assert remark == f"no train molecule has the charge {charge}"
        assert None not in means.values()


def test_a_train_molecule_is_known_however_it_is_spelt(
    ibbench: Command, study: Path, qm9: DataSet, config: Callable[..., Config]
) -> None:
    split = split_dataset(qm9, config("+experiment=tiny").data)
    subsets = {seed: set(split.train_subset(seed).tolist()) for seed in (0, 1, 2)}
    index = next(index for index in subsets[1] if index not in subsets[0] | subsets[2])
    graph = Chem.MolFromSmiles(qm9.smiles[index])
    spelt = Chem.MolToSmiles(graph, canonical=False, rootedAtAtom=graph.GetNumAtoms() - 1)
    assert spelt not in {qm9.smiles[index], Chem.MolToSmiles(graph)}
    assert "train molecule of 1 of 3 seeds" in _remark(ibbench, study, spelt, "--model", "gnn")[0]
    other = qm9.smiles[int(split.test[0])]
    assert "train molecule of" not in _remark(ibbench, study, other, "--model", "gnn")[0]


def test_rows_that_cannot_be_read_are_listed_and_the_others_predicted(
    ibbench: Command, study: Path, tmp_path: Path
) -> None:
    rows = ["7,CCC(=O)CCCC,a", f"8,{UNREADABLE},b", "", "9,,c", "10,CCC(=O)CCC", '11," CCCCCCCO ","d,e"']
    (tmp_path / "in.csv").write_text("\n".join(["id,molecule,note", *rows]) + "\n")
    words = ["predict", str(study), "--model", "gnn", "--input", "in.csv", "--smiles-column", "molecule"]
    done = ibbench(*words, "--output", "out.csv")
    assert done.returncode == 1, done.stderr
    assert "5 rows, 3 lack a prediction. Remarks: 3 cannot be read" in done.stdout
    listed = [line.split() for line in done.stdout.splitlines()]
    assert ["2", "3", UNREADABLE, "not", "read:", "RDKit", "cannot", "parse", "it"] in listed
    found = _read(tmp_path / "out.csv")
    assert [(row["id"], row["note"]) for row in found] == [
        ("7", "a"),
        ("8", "b"),
        ("9", "c"),
        ("10", ""),
        ("11", "d,e"),
    ]
    assert [bool(row["gap [eV] gnn mean"]) for row in found] == [True, False, False, False, True]
    assert [row["remark"] for row in found[1:4]] == [
        "not read: RDKit cannot parse it", "not read: it is empty", "not read: 2 cells under 3 columns",
    ]  # fmt: skip
    printed = ibbench(*words, "--format", "csv")
    assert (printed.returncode, printed.stdout) == (1, (tmp_path / "out.csv").read_text())
    shown = ibbench(*words)
    assert (shown.returncode, shown.stdout.count("gap [eV] gnn")) == (1, 1)
    assert "±" in next(line for line in shown.stdout.splitlines() if "CCCCCCCO" in line)
    page = ibbench(*words, "--format", "md").stdout
    assert page.startswith("# Predictions\n")
    assert "| row | line | SMILES | gap [eV] gnn | u0 [eV] gnn | remark |" in page


def test_models_that_read_coordinates_get_them_from_etkdg_when_asked(ibbench: Command, study: Path) -> None:
    refused = ibbench("predict", str(study), "CCCCO")
    assert refused.returncode == 2
    assert "`schnet` reads coordinates, which a SMILES does not have: --geometry etkdg" in refused.stderr
    etkdg = ("--model", "schnet", "--geometry", "etkdg")
    _, means = _remark(ibbench, study, "CC(N)CC(=O)CCO", *etkdg)
    _, again = _remark(ibbench, study, "OCCC(=O)CC(N)C", *etkdg)
    assert means == again
    assert all(math.isfinite(mean or math.nan) for mean in means.values())
    remark, without = _remark(ibbench, study, "C1#CC1", *etkdg)
    assert "not predicted: ETKDG finds no geometry" in remark
    assert set(without.values()) == {None}


def test_it_says_how_often_the_deviation_held_what_it_promises(ibbench: Command, study: Path, tmp_path: Path) -> None:
    written = np.load(_run(study, "gnn") / "predictions.npz")
    errors = (written["prediction"] - written["truth"])[written["target"] == "gap"]
    share = (np.abs(errors.mean(0)) <= 2.92 * math.sqrt(4 / 3) * errors.std(0, ddof=1)).mean()  # t(2) at 95 %
    told = ibbench("predict", str(study), "--model", "gnn", "CCO").stdout
    assert "within 3.37 standard deviations (3 seeds)" in told
    assert float(told.partition("it was ")[2].partition(" % for gnn on gap")[0]) == pytest.approx(100 * share, abs=2)
    moved = shutil.copytree(_run(study, "gnn"), tmp_path / "moved")  # it is not known what it was tested on
    alone = ibbench("predict", str(moved), "CCO")
    assert (alone.returncode, "standard deviations (" in alone.stdout) == (0, False)


def test_what_a_run_of_an_older_version_was_trained_on_is_not_known(
    ibbench: Command, study: Path, tmp_path: Path
) -> None:
    shutil.copytree(_run(study, "gnn"), tmp_path / "older")
    (tmp_path / "older" / "domain.safetensors").unlink()
    done = ibbench("predict", "older", LARGE)
    assert done.returncode == 0, done.stderr
    assert "train molecules not known" in done.stdout
    assert "What gnn trained on is not known" in done.stdout


def test_variants_and_train_sizes_have_columns_of_their_own(ibbench: Command, tmp_path: Path) -> None:
    sweep = ["model=mlp", "data.train_size=50,100", "optimizer.lr=1e-3,1e-2", "seeds=[0],[1]"]
    assert ibbench(*TINY, *sweep).returncode == 0
    (tmp_path / "in.csv").write_text("smiles\nCCC(=O)CCCC\n")
    done = ibbench("predict", "results/tiny", "--input", "in.csv", "--output", "out.csv")
    assert done.returncode == 0, done.stderr
    (row,) = _read(tmp_path / "out.csv")
    expected = [f"mlp (optimizer.lr={lr}) at {size}" for size in (50, 100) for lr in ("0.001", "0.01")]
    assert [name for name in row if name.endswith("mean")] == [f"gap [eV] {name} mean" for name in expected]
    for name in expected:
        lr, size = name.partition("=")[2].split(") at ")
        of_seeds = []
        for path in tmp_path.glob("results/tiny/runs/mlp-*/record.json"):
            options = json.loads(path.read_text())["config"]
            if (options["optimizer"]["lr"], options["data"]["train_size"]) == (float(lr), int(size)):
                alone = ibbench("predict", str(path.parent), "CCC(=O)CCCC", "--format", "json")
                of_seeds.append(json.loads(alone.stdout)["molecules"][0]["predictions"][0]["mean"])
        assert len(of_seeds) == 2
        assert float(row[f"gap [eV] {name} mean"]) == pytest.approx(np.mean(of_seeds), rel=1e-6)
        assert float(row[f"gap [eV] {name} std"]) == pytest.approx(np.std(of_seeds, ddof=1), rel=1e-4)


def test_bad_input_is_one_line_and_overwrites_nothing(ibbench: Command, study: Path, tmp_path: Path) -> None:
    (tmp_path / "neither").mkdir()
    _write(tmp_path / "in.csv", ["CCO"])
    _write(tmp_path / "other.csv", ["CCO"], "molecule,name")
    for name, text in (("empty.csv", ""), ("header.csv", "smiles\n"), ("quote.csv", 'smiles\n"CCO\n')):
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.csv").write_bytes("smiles,name\nCCO,\xe4\n".encode("cp1252"))
    _write(tmp_path / "taken.csv", ["CCO"], "remark,smiles")
    (tmp_path / "there.csv").write_text("mine\n")
    gnn = _run(study, "gnn")
    for name, size in (("cut", 500), ("nothing", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_bytes((gnn / "weights.safetensors").read_bytes()[:size])
    shutil.copytree(gnn, tmp_path / "broken")
    (tmp_path / "broken" / "domain.safetensors").write_bytes(b"x")
    shutil.copytree(gnn, tmp_path / "newer")
    weights = (tmp_path / "newer" / "weights.safetensors").read_bytes()
    assert b'"format_version":"3"' in weights
    weights = weights.replace(b'"format_version":"3"', b'"format_version":"9"')
    (tmp_path / "newer" / "weights.safetensors").write_bytes(weights)
    one, file = [str(study), "CCO", "--model", "gnn"], [str(study), "--model", "gnn", "--input"]
    cases = (
        (["none", "CCO"], "there is no folder none"),
        (["neither", "CCO"], "neither is neither a study nor a run"),
        (["newer", "CCO"], "written by a newer ibbench: its format is 9"),
        (["cut", "CCO"], "cut/weights.safetensors is not readable"),
        (["nothing", "CCO"], "nothing/weights.safetensors is not readable"),
        (["broken", "CCO"], "broken/domain.safetensors is not readable"),
        ([str(gnn), "CCO", "--model", "gnn"], "is one run"),
        ([str(study), "CCO", "--model", "gmn"], "did you mean `gnn`"),
        ([str(study)], "there is nothing to predict"),
        ([*one, "--input", "in.csv"], "expected one of them"),
        ([*file, "absent.csv"], "`--input absent.csv` cannot be read"),
        ([*file, "empty.csv"], "empty.csv is empty"),
        ([*file, "header.csv"], "header.csv has a header but no rows"),
        ([*file, "quote.csv"], "a quote is opened and not closed"),
        ([*file, "latin.csv"], "latin.csv is not text in UTF-8"),
        ([*file, "other.csv"], "no column `smiles`: its columns are `molecule`, `name`"),
        ([*file, "taken.csv"], "has a column `remark` already"),
        ([*file, "in.csv", "--output", "in.csv", "--overwrite"], "is the input"),
        ([*one, "--output", "there.csv"], "there.csv is there already: --overwrite replaces it"),
        ([*one, "--output", "nowhere/out.csv"], "expected a file in a folder that is there"),
        ([*one, "--output", "new.csv", "--format", "json"], "leave out --format json"),
        ([*one, "--overwrite"], "no meaning without --output"),
        ([*one, "--format", "jsn"], "did you mean `json`"),
        ([*one, "--geometry", "mmff"], "expected one of: etkdg"),
        ([*one, "--geometry", "etkdg"], "none of the models reads coordinates"),
        ([*one, "--smiles-column", "smiles"], "no meaning without --input"),
        ([*one, "--device", "cuda:99"], "is not possible"),
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, message in cases:
        refused = ibbench("predict", *arguments)
        assert refused.returncode == 2, (arguments, refused)
        assert message in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1
        assert refused.stdout == ""
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_an_output_is_replaced_only_when_asked(ibbench: Command, study: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine\n")
    done = ibbench("predict", str(study), "CCO", "--model", "gnn", "--output", "out.csv", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert [row["smiles"] for row in _read(tmp_path / "out.csv")] == ["CCO"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_study_without_weights_names_the_command_that_makes_them(ibbench: Command, tmp_path: Path) -> None:
    assert ibbench(*TINY, "model=mlp,deep_sets", "seeds=[0]").returncode == 0
    study = tmp_path / "results" / "tiny"
    _run(study, "mlp").joinpath("weights.safetensors").unlink()
    partly = ibbench("predict", "results/tiny", "CCO")
    assert partly.returncode == 1
    assert "Left out, having no weights.safetensors: mlp-" in partly.stdout
    for case in ("weights", "runs"):
        if case == "weights":
            _run(study, "deep_sets").joinpath("weights.safetensors").unlink()
        else:
            shutil.rmtree(study / "runs")  # as in a fresh clone, which has the evidence alone
        refused = ibbench("predict", "results/tiny", "CCO")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused
        told = refused.stderr.partition("has no weights to predict with. `")[2].partition("`")[0]
        assert told.startswith("ibbench train ")
        assert ibbench(*shlex.split(told)[1:]).returncode == 0, told
        done = ibbench("predict", "results/tiny", "CCO")
        assert (done.returncode, "gap [eV] mlp" in done.stdout) == (0, True), (told, done)
        assert len(list(study.glob("runs/*/record.json"))) == 2  # the same runs, and no others
