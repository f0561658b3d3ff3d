"""`ibbench status` tells how far a study is, at any time, and quickly."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_what_was_asked_for_is_known_before_it_is_trained(ibbench: Command) -> None:
    tiny = ["train", "experiment=tiny", "seeds=[0]"]
    assert ibbench(*tiny, "model=mlp").returncode == 0
    done = ibbench("status", "results/tiny")
    assert (done.returncode, "1 runs, 1 done" in done.stdout) == (0, True)
    diverging = ["optimizer=sgd", "loss=mse", "model=mlp", "optimizer.lr=0.01,1e30"]
    assert ibbench(*tiny, *diverging).returncode == 1
    told = ibbench("status", "results/tiny")
    assert told.returncode == 1
    assert "3 runs, 2 done, 1 failed (67 % of the work)" in told.stdout
    assert "optimizer.lr=1e" in told.stdout
    assert "the loss was no longer finite" in " ".join(told.stdout.split())
    assert told.stdout.count("mlp-") == 1
    assert ibbench("status", "results/tiny", "--all").stdout.count("mlp-") == 3


def test_a_folder_without_a_study_is_refused(ibbench: Command, tmp_path: Path) -> None:
    refused = ibbench("status", "results/none")
    assert refused.returncode == 2
    assert "holds no runs: expected a study" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_points_and_costs_and_leaves_nothing(ibbench: Command, tmp_path: Path) -> None:
    command = ["train", "experiment=tiny", "data.train_size=60", "model=mlp,gnn", "trainer.epochs=3"]
    dry = ibbench(*command, "--dry-run")
    assert dry.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert dry.stdout.count(f"{60 * 3 * 2} molecule-steps") == 2
    assert "To do: 2 of 2 runs, 720 molecule-steps" in dry.stdout
    assert ibbench(*command, "model=mlp").returncode == 0
    dry = ibbench(*command, "--dry-run")
    assert "To do: 1 of 2 runs, 360 molecule-steps" in dry.stdout
    assert dry.stdout.count(", done\n") == 1
