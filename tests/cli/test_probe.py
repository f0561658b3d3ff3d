"""`ibbench probe` from the command line."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibbench.record.folder import read_records

Command = Callable[..., subprocess.CompletedProcess[str]]
COLUMNS = "target,train_size,model,variant,seed,at,probe,quantity,part,value,unit,measured_with"


def test_a_ranking_is_printed_and_written(ibbench: Command, tmp_path: Path) -> None:
    run = ibbench("probe", "experiment=tiny", "model=mlp,deep_sets", "--foretell", "--molecules", "60")
    assert run.returncode == 0, run.stderr
    assert "which bias to try first" in run.stdout
    study = tmp_path / "results" / "tiny"
    assert sorted(path.name for path in study.iterdir()) == [
        "foretold.csv", "probe_floor.png", "probe_floor.svg", "probe_kernel.png", "probe_kernel.svg", "probes.csv",
        "probes.md",
    ]  # fmt: skip
    assert (study / "probes.csv").read_text().partition("\n")[0] == COLUMNS
    table = pd.read_csv(study / "probes.csv", keep_default_na=False)
    assert list(dict.fromkeys(zip(table["model"], table["probe"], table["at"], strict=True))) == [
        ("mlp", "floor", ""), ("mlp", "kernel", "init"), ("deep_sets", "floor", ""), ("deep_sets", "kernel", "init"),
    ]  # fmt: skip
    assert set(table.loc[table["probe"] == "kernel", "seed"]) == {"0", "1"}
    ranked = pd.read_csv(study / "foretold.csv")
    assert ranked["rank"].tolist() == [1, 2]
    assert ranked["bits"].is_monotonic_increasing
    assert ranked["measured"].isna().all()
    assert "0.240 eV" in (study / "probes.md").read_text()


def test_what_makes_no_sense_is_refused_in_one_line(ibbench: Command, tmp_path: Path) -> None:
    tiny = ("probe", "experiment=tiny", "model=mlp")
    for arguments, message in (
        ((*tiny, "--probe", "kernle"), "did you mean `kernel`"),
        ((*tiny, "--at", "trained", "--probe", "kernel"), "makes no sense at trained: expected --at init"),
        ((*tiny, "--at", "trained"), "not trained yet"),
        ((*tiny, "--foretell", "--probe", "floor"), "expected --probe kernel"),
        ((*tiny, "--along", "--probe", "symmetry"), "makes no sense at along"),
        ((*tiny, "--along"), "no probe is measured by default at along"),
        ((*tiny, "--probe", "agreement"), "not trained yet"),
        ((*tiny, "--molecules", "3"), "at least 10"),
        ((*tiny, "data.train_size=5"), "fewer than 10 molecules"),
        ((*tiny, "cluster=slurm"), "in this process alone"),
        (("probe", "results/none"), "holds no records"),
        (("probe", "model=gmn"), "did you mean `gnn`"),
    ):
        refused = ibbench(*arguments)
        assert refused.returncode == 2, refused.stdout
        assert message in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "results" / "tiny").exists()
    listed = ibbench("probe", "--list").stdout
    assert all(name in listed for name in ("floor", "symmetry", "kernel", "jacobian"))


@pytest.mark.slow
def test_models_that_read_coordinates_are_left_out_of_data_without(ibbench: Command, tmp_path: Path) -> None:
    rows = "".join(f"{'C' * left}O{'C' * right},{left - right}\n" for left in range(1, 10) for right in range(1, 10))
    (tmp_path / "my.csv").write_text("smiles,logS\n" + rows)
    data = ("data=csv", "data.path=my.csv", "data.target_columns=[logS]", "targets=[logS]", "data.train_size=40")
    words = (*data, "data.validation_size=0.1", "data.test_size=0.2", "seeds=[0]", "name=mine", "--probe", "floor")
    run = ibbench("probe", "experiment=[ladder,tiny]", "model=ladder/mlp,ladder/schnet,ladder/gnn_lengths", *words)
    assert run.returncode == 0, run.stderr
    assert "Left out, since they read coordinates and data.source=csv has none: schnet, gnn_lengths" in run.stdout
    assert set(pd.read_csv(tmp_path / "results" / "mine" / "probes.csv")["model"]) == {"mlp"}
    alone = ibbench("probe", "experiment=[ladder,tiny]", "model=ladder/schnet", *words)
    assert alone.returncode == 2
    assert "`model=schnet` reads coordinates" in alone.stderr


@pytest.mark.slow
def test_what_was_measured_before_is_not_measured_again(
    ibbench: Command, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "cache"
    own.mkdir()
    for path in cache.glob("*.safetensors"):
        (own / path.name).symlink_to(path)
    monkeypatch.setenv("IBBENCH_CACHE", str(own))
    words = ("probe", "experiment=tiny", "model=deep_sets", "--molecules", "20", "--probe")
    first = ibbench(*words, "floor,smoothness")
    table = tmp_path / "results" / "tiny" / "probes.csv"
    before = table.read_bytes()
    again = ibbench(*words, "floor,smoothness")
    assert "made before" not in first.stdout
    assert "3 of 3 measurements were made before" in again.stdout  # a floor, and two seeds
    assert first.stdout.partition("labels\n")[2] == again.stdout.partition("cache\n")[2]
    assert table.read_bytes() == before
    alone = ibbench(*words, "floor")
    num_kept = (pd.read_csv(table)["probe"] == "smoothness").sum()
    assert f"keep {num_kept} figures of earlier commands" in alone.stdout
    assert table.read_bytes() == before
    assert "## smoothness" in (table.parent / "probes.md").read_text()
    assert "made before" not in ibbench(*words, "smoothness", "data.train_size=90", "seeds=[1]").stdout
    for path in (own / "probes").iterdir():
        path.write_text("{")
    assert "made before" not in ibbench(*words, "floor").stdout


@pytest.mark.slow
def test_trained_weights_of_a_study_are_probed_and_set_beside_the_ranking(ibbench: Command, tmp_path: Path) -> None:
    options = ("experiment=tiny", "model=mlp,deep_sets", "targets=[gap,mu]", "workers=1")
    assert ibbench("train", *options).returncode == 0
    study = tmp_path / "results" / "tiny"
    for words in ([str(study)], options):
        run = ibbench("probe", *words, "--at", "init,trained", "--molecules", "200", "--foretell", "--probe",
                      "symmetry,kernel")  # fmt: skip
        assert run.returncode == 0, run.stderr
        table = pd.read_csv(study / "probes.csv", keep_default_na=False)
        trained = table[(table["at"] == "trained") & (table["model"] == "deep_sets")]
        transformed = trained[trained["quantity"] == "MAE, transformed"].set_index(["target", "seed"])["value"]
        for record in read_records(study):
            if record.config["model"]["name"] == "deep_sets":
                for replica in record.replicas:  # whose predictions do not change with the order of atoms
                    found = transformed[replica.target, replica.seed]
                    assert found == pytest.approx(replica.test.mae, rel=1e-4)
        of_mlp = table[(table["at"] == "trained") & (table["model"] == "mlp")].groupby("quantity")["value"].mean()
        assert of_mlp["MAE, mean over the group"] < of_mlp["MAE, transformed"]
        ranked = pd.read_csv(study / "foretold.csv")
        assert np.isfinite(ranked["measured"]).all()
    (next((study / "runs").glob("mlp-*")) / "weights.safetensors").write_bytes(b"")
    refused = ibbench("probe", str(study), "--at", "trained")
    assert refused.returncode == 2
    assert "weights.safetensors is not readable" in refused.stderr
