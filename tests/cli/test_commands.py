import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from ibbench.data.targets import QM9_TARGETS
from ibbench.record.folder import read_records
from tests.committed import export_committed

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "experiment=tiny"]
WHOLE_TEST_SET = [*TINY, "data.validation_size=5000", "data.test_size=10000"]

HEAVY = """
import sys
from ibbench.cli import app
try:
    app({arguments})
except SystemExit:
    pass
heavy = [name for name in ("torch", "rdkit", "pandas", "hydra", "numpy", "pyarrow") if name in sys.modules]
print("heavy:", heavy)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["data", "--help"], ["table", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = HEAVY.format(arguments=arguments)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("heavy: []")


def test_models_are_listed_with_assumptions_and_size_at_the_budget(ibbench: Command) -> None:
    output = ibbench("models", "budget.value=50000").stdout
    for name in ("mlp", "deep_sets", "gnn", "graph_transformer"):
        row = next(line for line in output.splitlines() if line.split()[:1] == [name])
        parameters = int(row.split()[-1].replace(",", ""))
        assert abs(parameters / 50_000 - 1) < 0.02
    assert "bonded neighbours" in output


def test_targets_are_listed_with_symbol_and_unit(ibbench: Command) -> None:
    output = ibbench("targets").stdout
    assert re.search(r"^ gap +Δε +eV ", output, re.MULTILINE)
    assert re.search(r"^ cv +c_v +cal/\(mol K\)", output, re.MULTILINE)
    assert [
        line.split()[0] for line in output.splitlines() if line.split()[:1] and line.split()[0] in QM9_TARGETS
    ] == list(QM9_TARGETS)


def test_data_info_and_show(ibbench: Command) -> None:
    assert "130,831 molecules ready in" in ibbench("data", "prepare").stdout
    info = ibbench("data", "info").stdout
    assert "130,831 molecules from qm9pack, hydrogens implicit" in info
    assert "atom features that are the same everywhere: H" in info
    by_smiles, by_index = ibbench("data", "show", "OCC"), ibbench("data", "show", "13")
    assert "CCO: index 13, id 14 of qm9pack" in by_smiles.stdout
    assert by_smiles.stdout == by_index.stdout
    assert re.search(r"^ gap +eV +9.2981", by_index.stdout, re.MULTILINE)
    explicit = ibbench("data", "show", "0", "data.hydrogens=explicit").stdout
    assert "5 atoms" in explicit
    assert "4 bonds" in explicit
    assert "not in the data set" in ibbench("data", "show", "CCCCCCCCCCCCCCC").stdout
    for wrong in ("130831", "C1CC", "١٣"):
        refused = ibbench("data", "show", wrong)
        assert refused.returncode == 2
        assert refused.stderr.startswith("ibbench: `")
        assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_train_leaves_everything_that_a_study_should_have(ibbench: Command, tmp_path: Path) -> None:
    run = ibbench(*WHOLE_TEST_SET, "targets=[gap,u0]")
    assert run.returncode == 0, run.stderr
    study = tmp_path / "results" / "tiny"
    table = pd.read_csv(study / "table.csv")
    order = ["mean", "composition", "mlp", "deep_sets", "gnn", "graph_transformer"]
    assert table["model"].tolist() == 2 * order
    assert table["target"].tolist() == ["gap"] * 6 + ["u0"] * 6
    assert set(table["unit"]) == {"eV"}
    assert (table["num_seeds"] == 2).all()
    assert all(name in run.stdout for name in order)
    records = read_records(study)
    assert [record.status for record in records] == ["done"] * 4
    for record in records:
        folder = study / "runs" / record.run
        content = json.loads((folder / "record.json").read_text())
        assert content["split_fingerprint"] == "7227fd9d4c6e848a"
        assert content["cost"]["parameters"] == pytest.approx(10_000, rel=0.02)
        assert content["cost"]["peak_memory_mb"] > 50
        assert len(pd.read_csv(folder / "history.csv")) == 4
        predictions = np.load(folder / "predictions.npz", allow_pickle=False)
        assert predictions["prediction"].shape == predictions["truth"].shape == (4, 10_000)
        error = np.abs(predictions["prediction"] - predictions["truth"]).mean(1)
        assert error == pytest.approx([replica.test.mae for replica in record.replicas])
        with safe_open(folder / "weights.safetensors", framework="np") as weights:
            assert all(weights.get_tensor(name).shape[0] == 4 for name in weights.keys())  # noqa: SIM118
        assert not list(folder.glob("checkpoint*"))

    before = (study / "table.csv").read_text()
    again = ibbench(*WHOLE_TEST_SET, "targets=[gap,u0]")
    assert again.returncode == 0
    # To find everything done needs no torch, which takes longer to import than all the rest.
    code = HEAVY.format(arguments=[*WHOLE_TEST_SET, "targets=[gap,u0]"])
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "'pandas'" in listed.stdout.splitlines()[-1]
    assert "'torch'" not in listed.stdout.splitlines()[-1]
    assert again.stdout.count("done before") == 4
    assert (study / "table.csv").read_text() == before
    (study / "table.csv").unlink()
    assert ibbench("table", "results/tiny").returncode == 0
    assert (study / "table.csv").read_text() == before
    assert ibbench("table", "results/tiny", "--format", "csv", "--target", "u0").stdout.count(",u0,") == 6

    # Nobody's edits are overwritten, and nobody waits for a training to hear of it.
    (study / "table.csv").write_text(before.replace(",gap,", ",gab,"))
    edited = "results/tiny/table.csv"
    for command in (["table", "results/tiny"], [*WHOLE_TEST_SET, "seeds=[7]"], ["diff", edited, edited]):
        refused = ibbench(*command)
        assert refused.returncode == 2
        assert f"{edited} was edited by hand" in refused.stderr
    assert len(read_records(study)) == 4


def test_diff_has_an_exit_code_that_scripts_can_use(ibbench: Command, tmp_path: Path) -> None:
    # Committed results, without their runs: a higher learning rate is better for the GNN.
    export_committed("results", tmp_path)
    results = tmp_path / "results"
    low, high = str(results / "quick" / "table.csv"), str(results / "quick_lr" / "table.csv")
    better = ibbench("diff", low, high, "--fail-on", "regression")
    assert better.returncode == 0
    assert "Config: optimizer.lr 0.002 → 0.004." in better.stdout
    # The other way round it is worse by 2 and 5 %: too little for three seeds of a table to prove, or to exclude.
    unproven = ibbench("diff", high, low, "--fail-on", "unproven")
    assert unproven.returncode == 1
    assert "A relevant regression is there or cannot be excluded: exit code 1." in unproven.stdout
    assert ibbench("diff", low, low, "--fail-on", "unproven").returncode == 0
    assert ibbench("diff", high, low).returncode == 0
    assert ibbench("diff", low, low, "--fail-on", "change").returncode == 0
    missing = ibbench("diff", low, "results/shrot")
    assert missing.returncode == 2
    assert missing.stderr.startswith("ibbench: there is no `results/shrot`")


@pytest.mark.slow
def test_the_same_command_in_two_places_gives_the_same_numbers(ibbench: Command, tmp_path: Path) -> None:
    errors = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        assert ibbench(*TINY, "model=gnn,mlp", cwd=tmp_path / place).returncode == 0
        records = read_records(tmp_path / place / "results" / "tiny")
        errors.append([(record.run, [replica.test for replica in record.replicas]) for record in records])
    assert errors[0] == errors[1]


def test_a_diverging_run_fails_alone(ibbench: Command, tmp_path: Path) -> None:
    run = ibbench(*TINY, "optimizer=sgd", "optimizer.lr=0.01,1e30", "model=mlp", "loss=mse")
    assert run.returncode == 1
    assert "the loss was no longer finite at step" in run.stdout
    assert "Not finished: mlp-" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
    records = read_records(tmp_path / "results" / "tiny")
    assert sorted(record.status for record in records) == ["done", "failed"]
    failed = next(record for record in records if record.status == "failed")
    assert failed.error is not None
    assert "smaller optimizer.lr" in failed.error.message


@pytest.mark.slow
def test_a_users_csv_trains_from_the_command_line(ibbench: Command, tmp_path: Path) -> None:
    chains = "".join(f"{'C' * size}O,{size}\n{'C' * size}N,{size + 0.5}\n" for size in range(1, 60))
    again = "OCC,2\nC(O)C,7\n"  # ethanol, which `chains` has as CCO
    (tmp_path / "mine.csv").write_text("smiles,size\n" + chains + again + "C1CC,3\n")
    source = [
        "data=csv",
        "data.path=mine.csv",
        "data.target_columns=[size]",
        "targets=[size]",
        "data.units={size: atoms}",
    ]
    run = ibbench("train", *source, "trainer.epochs=5", "name=mine", "budget.value=30000")
    assert run.returncode == 0, run.stderr
    assert "1 of 121 rows of mine.csv are left out" in run.stdout
    repeats = "an earlier one again, by canonical isomeric SMILES: 2; 1 molecule has labels that contradict each other"
    assert repeats in run.stdout
    table = pd.read_csv(tmp_path / "results" / "mine" / "table.csv")
    assert set(table["unit"]) == {"atoms"}
    assert set(table["train_size"]) == {120 - 12 - 12}
    study = json.loads((tmp_path / "results" / "mine" / "study.json").read_text())
    assert list(study["data"].values()) == [{"molecules": 120, "rejected": 1, "repeats": 2, "contradicting": 1}]


def test_table_of_a_folder_without_records_is_refused(ibbench: Command, tmp_path: Path) -> None:
    refused = ibbench("table", "results/none")
    assert refused.returncode == 2
    assert "holds no records" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_speed_prints_and_writes_its_table(ibbench: Command, tmp_path: Path) -> None:
    run = ibbench(
        "speed", "model=mlp", "data.train_size=100", "trainer.compile=false", "--repeats", "2", "--seconds", "0.1"
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"^ mlp +train +1 +[\d,]+ +\d+ x \d+ +[\d,]+ +\d+ x \d+", run.stdout, re.MULTILINE)
    table = pd.read_csv(tmp_path / "results" / "speed" / "table.csv")
    assert table["phase"].tolist() == ["train", "infer", "train", "infer"]
    assert table["replicas"].tolist() == [1, 1, 3, 3]
    assert (table["ratio"] > 0).all()
    assert "No GPU was measured." in (tmp_path / "results" / "speed" / "table.md").read_text()
    for wrong, message in (
        (["--repeats", "0"], "--repeats must be at least 1"),
        (["device=cuda"], "expected device=cpu"),
        (["model=gmn"], "did you mean `gnn`"),
        (["data.train_size=10"], "a batch of 32 molecules"),
    ):
        refused = ibbench("speed", *wrong)
        assert refused.returncode == 2
        assert message in refused.stderr
