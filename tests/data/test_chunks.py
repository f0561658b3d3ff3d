"""Long lists of SMILES are read in chunks: the same figures whatever these are, and what was read outlives a kill."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ibbench.data import chunks
from ibbench.data.chunks import Graphs, read_graphs, remove_chunks

ODD = ["", "CC O", "C" * 40, "[NH3]->[Cu]", "C~O", "[13CH4]", "[NH4+]", "C[C@H](N)C(=O)O", "F/C=C\\F", "[Cr]$[Mo]"]
SMILES = [f"{'C' * size}{end}" for size in range(1, 8) for end in ("O", "N", "[O-]", "=O", "#N")] + ODD + ["OC", "NC"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path))
    return tmp_path / "chunks"


def _same(one: Graphs, other: Graphs) -> bool:
    arrays = [[*graphs.features, graphs.keys, graphs.colours, graphs.marks] for graphs in (one, other)]
    equal = all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))
    return equal and (one.refused, sorted(one.odd_bonds)) == (other.refused, sorted(other.odd_bonds))


@pytest.mark.parametrize("chunk", [1, 7, len(SMILES) - 1])
def test_chunks_change_no_figure(chunk: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = read_graphs(SMILES, "implicit", 30, "organic")
    assert not folder.exists()  # a short list needs no files
    assert len(whole.refused) == 3
    parts = read_graphs(SMILES, "implicit", 30, "organic", jobs=1, chunk=chunk)
    assert _same(whole, parts)
    assert f"{len(SMILES)} of {len(SMILES)} molecules" in capsys.readouterr().out
    remove_chunks(parts.files)
    assert not folder.exists()


def test_what_was_read_is_not_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    first = read_graphs(SMILES[:20], "implicit", 30, "organic", jobs=1, chunk=10)
    times = [file.stat().st_mtime_ns for file in first.files]
    again = read_graphs(SMILES, "implicit", 30, "organic", jobs=1, chunk=10)
    assert again.files[:2] == first.files
    assert [file.stat().st_mtime_ns for file in first.files] == times
    assert f"20 of {len(SMILES)} molecules were read before" in capsys.readouterr().out
    others = [read_graphs(SMILES[:20], *how, jobs=1, chunk=10).files for how in _OTHER_WAYS]
    assert not set(first.files) & {file for files in others for file in files}


_OTHER_WAYS = (("explicit", 30, "organic"), ("implicit", 31, "organic"), ("implicit", 30, "qm9"))


def test_a_damaged_chunk_is_read_again() -> None:
    whole = read_graphs(SMILES, "implicit", 30, "qm9")
    first, second, *_ = read_graphs(SMILES, "implicit", 30, "qm9", jobs=1, chunk=10).files
    first.write_bytes(first.read_bytes()[:-1])
    second.write_bytes(b"")
    assert _same(read_graphs(SMILES, "implicit", 30, "qm9", jobs=1, chunk=10), whole)


BUILD = """
import sys
from ibbench.data.dataset import load_dataset
from ibbench.options.compose import compose_config
print("sum", load_dataset(compose_config(sys.argv[1:]).data).molecules.atoms.long().sum().item())
"""


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_where_it_was(tmp_path: Path, folder: Path) -> None:
    draw = random.Random(0)
    rows = ["".join(draw.choices("CNO", k=8)) for _ in range(4 * chunks.CHUNK)]
    (tmp_path / "mine.csv").write_text("smiles,y\n" + "".join(f"{text},{len(text)}\n" for text in rows))
    overrides = ("data=csv", f"data.path={tmp_path / 'mine.csv'}", "data.target_columns=[y]", "targets=[y]")
    command = [sys.executable, "-c", BUILD, *overrides]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        for _ in range(10_000):  # a busy machine takes a minute to begin
            if [*folder.glob("*.safetensors")] or process.poll() is not None:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    kept = len([*folder.glob("*.safetensors")])
    assert kept
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert " molecules were read before" in again.stdout
    assert not folder.exists()
    whole = read_graphs(rows, "implicit", 128, "organic", jobs=1, chunk=len(rows))
    assert f"sum {whole.features.atoms.sum(dtype=np.int64)}" in again.stdout
