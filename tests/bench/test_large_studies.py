"""`ibbench table` and `ibbench status` answer within seconds, also in a study of a thousand runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.conftest import Tell
from tests.compare.many import many_runs

TRAIN = ["train", "experiment=tiny", "model=mlp,gnn", "seeds=[0]"]


@pytest.mark.bench
def test_a_thousand_runs_take_three_seconds(
    ibbench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, tell: Tell
) -> None:
    assert ibbench(*TRAIN, "name=many").returncode == 0
    study = tmp_path / "results" / "many"
    many_runs(study, 1000)
    for command in ("table", "status"):
        before = os.times()
        run = subprocess.run(
            [sys.executable, "-m", "ibbench", command, str(study)], check=False, capture_output=True, text=True
        )
        after = os.times()
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        tell(f"ibbench {command}, 1000 runs", seconds, "s of processor time")
        assert run.stdout
        assert seconds <= 3
    rows = (study / "table.csv").read_text().splitlines()
    assert len(rows) == 1 + 10 * (2 + 2 * 4) + 4  # 10 train sizes of 2 baselines and 2 models at 4 rates; the real runs
