"""A record says when, where, by which command and from which commit it was made, and nothing of it decides a name."""

import json
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ibbench.record.folder import StudyFolder

TINY = ["experiment=tiny", "model=mlp", "seeds=[0]"]


@pytest.mark.slow
def test_a_record_says_how_it_was_made(
    ibbench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert ibbench("train", *TINY).returncode == 0
    study = tmp_path / "results" / "tiny"
    (record,) = StudyFolder.at(study).records()
    assert record.made is not None
    assert datetime.now(UTC) - datetime.fromisoformat(record.made.at) < timedelta(minutes=10)
    assert record.made.command == shlex.join(["ibbench", "train", *TINY])
    assert record.made.revision is None
    # In a repository, with a change that is not committed, the same run has the same name.
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "results"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    (study / "table.md").unlink()
    assert ibbench("train", *TINY, "rerun=true").returncode == 0
    (again,) = StudyFolder.at(study).records()
    assert again.run == record.run
    assert again.replicas == record.replicas
    assert again.made is not None
    assert again.made.revision == head.stdout.strip() + "+"
    # Older versions wrote nothing of it; their records are read.
    (path,) = study.glob("runs/*/record.json")
    content = json.loads(path.read_text())
    del content["made"]
    path.write_text(json.dumps(content))
    run = ibbench("train", *TINY)
    assert run.returncode == 0
    assert "done before" in run.stdout
