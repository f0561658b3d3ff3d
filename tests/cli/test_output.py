"""No output ends a command: what cannot be encoded is replaced, what nobody reads is dropped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = ["experiment=tiny", "model=mlp", "seeds=0"]
COMMAND = [sys.executable, "-m", "ibbench"]


def _start(command: list[str], cwd: Path, **environment: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_table_is_printed_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    printed, errors = _start([*COMMAND, "targets"], tmp_path, PYTHONIOENCODING=encoding).communicate(timeout=60)
    lines = printed.decode(encoding).splitlines()
    assert not errors
    assert any("HOMO" in line and "eV" in line for line in lines)
    assert "?" in printed.decode(encoding)  # in place of the Greek letters of symbols


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_training_whose_output_is_closed_goes_on_to_its_table(unbuffered: str, tmp_path: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": unbuffered}
    with _start([*COMMAND, "train", *TINY, "name=größe"], tmp_path, **environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"Study results/gr??e: 1 runs")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert (tmp_path / "results" / "größe" / "table.csv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no file that is always full")
def test_output_that_is_lost_on_a_full_disk_is_an_error_in_the_end() -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([*COMMAND, "targets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "ibbench: the output could not be written: No space left on device\n"


def test_a_command_without_any_output_ends_well(tmp_path: Path) -> None:
    process = _start(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *COMMAND, "targets"], tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 0
