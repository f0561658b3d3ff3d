"""What goes wrong around a training: each is said clearly, spoils no record, and loses nothing that is finished."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ibbench.record.folder import read_records
from ibbench.record.schema import read_record, write_record
from ibbench.training.saved import saved_steps
from tests.forked import Forked

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "experiment=tiny", "seeds=[0]", "trainer.compile=false"]
LONG = [*TINY, "data.train_size=3200", "trainer.epochs=200"]


def _start(arguments: list[str], folder: Path) -> Forked:
    (folder / "output").mkdir()
    return Forked(arguments, folder, folder / "output")


def _until(condition: Callable[[], object], command: Forked, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert command.process.is_alive(), command.printed()
        assert time.monotonic() < deadline, command.printed()
        time.sleep(0.02)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of twelve megabytes: the list of all molecules with their part of the split takes four."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow
def test_a_full_disk_fails_what_finds_no_room_and_keeps_the_rest(ibbench: Command, small_disk: Path) -> None:
    place = f"results_dir={small_disk}"
    assert ibbench(*TINY, "model=mlp", place).returncode == 0
    study = small_disk / "tiny"
    (before,) = read_records(study)
    filling = small_disk / "filling"
    with filling.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    os.truncate(filling, filling.stat().st_size - 3 * 4096)  # room for a lock, and for no more than that
    command = [*TINY, "model=mlp,gnn", place, "trainer.epochs=3", "trainer.checkpoint_seconds=0"]
    full = ibbench(*command)
    assert full.returncode == 1
    assert "No space left on device" in full.stdout
    assert "Not finished: mlp-" in full.stdout
    assert "Traceback" not in full.stdout + full.stderr
    assert [record for record in read_records(study) if record.status == "done"] == [before]
    assert not list(study.glob("runs/*/.*.tmp"))
    filling.unlink()
    assert ibbench(*command).returncode == 0
    assert len(read_records(study)) == 3


def test_results_that_cannot_be_written_are_refused_before_anything_starts(ibbench: Command, small_disk: Path) -> None:
    place = f"results_dir={small_disk}"
    assert ibbench(*TINY, "model=mlp", place).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    refused = ibbench(*TINY, "model=mlp,gnn", place)
    assert refused.returncode == 2
    assert "Read-only file system" in refused.stderr
    assert "Traceback" not in refused.stderr
    for command in (["status", str(small_disk / "tiny")], ["table", str(small_disk / "tiny"), "--format", "csv"]):
        shown = ibbench(*command)
        assert (shown.returncode, "mlp" in shown.stdout or "1 done" in shown.stdout) == (0, True), shown
        assert len(read_records(small_disk / "tiny")) == 1
    drawn = ibbench("plot", str(small_disk / "tiny"))
    assert (drawn.returncode, f"Not written to {small_disk / 'tiny'}: Read-only" in drawn.stdout) == (1, True), drawn


@pytest.mark.slow
@pytest.mark.parametrize("deleted", ["results", "results/tiny/runs/gnn-*"])
def test_a_folder_deleted_while_training_ends_the_run_and_is_not_made_again(
    deleted: str, ibbench: Command, tmp_path: Path
) -> None:
    assert ibbench(*TINY, "model=mlp").returncode == 0
    command = _start([*LONG, "model=gnn", "trainer.checkpoint_seconds=0.2"], tmp_path)
    _until(lambda: list(tmp_path.glob("results/tiny/runs/gnn-*/checkpoint-0b.safetensors")), command)
    (folder,) = tmp_path.glob(deleted)
    shutil.rmtree(folder, ignore_errors=True)
    ended = command.end(60)
    assert ended.returncode == 1
    assert "was deleted or moved while it trained" in ended.stdout
    assert "Not finished: gnn-" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not list(tmp_path.glob("results/tiny/runs/gnn-*/record.json"))
    if deleted != "results":
        assert [record.status for record in read_records(tmp_path / "results" / "tiny")] == ["done"]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGINT,
        *(pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)),
    ],
)
def test_a_signal_saves_the_state_and_ends_the_command_within_ten_seconds(
    number: signal.Signals, ibbench: Command, tmp_path: Path
) -> None:
    command = _start([*LONG, "model=mlp", "trainer.checkpoint_seconds=3600"], tmp_path)
    _until(lambda: "to do" in command.printed(), command)
    _until(lambda: list(tmp_path.glob("results/tiny/runs/*/lock")), command)
    time.sleep(1.5)  # somewhere in its training, or in the preparation for it
    started = time.monotonic()
    assert command.process.pid is not None
    os.kill(command.process.pid, number)
    ended = command.end(30)
    assert time.monotonic() - started < 10
    assert ended.returncode == 130, ended
    assert "Interrupted" in ended.stdout
    (folder,) = tmp_path.glob("results/tiny/runs/mlp-*")
    states = [saved_steps(path) for path in folder.glob("checkpoint-*")]
    assert [path.name for path in folder.iterdir()] == (["checkpoint-0a.safetensors"] if states else [])
    status = ibbench("status", "results/tiny")
    assert status.returncode == 1
    assert ("stopped" if states else "missing") in status.stdout
    assert states, "the signal came before the first step: a slower machine than was thought of"
    assert states[0] > 0


@pytest.mark.slow
def test_a_node_without_the_data_fails_its_run_and_says_why(ibbench: Command) -> None:
    pytest.importorskip("submitit", reason="ibbench[cluster] is not installed")
    on_a_node = ["cluster=slurm_local", "+hydra.job.env_set.IBBENCH_CACHE=/proc/no/place"]
    failed = ibbench(*TINY, "model=mlp", *on_a_node)
    assert failed.returncode == 1, failed
    assert "Not finished: mlp-" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    status = ibbench("status", "results/tiny")
    assert status.returncode == 1
    assert "failed" in status.stdout
    assert "the data cache needs" in " ".join(status.stdout.split())


def test_a_run_is_redone_when_asked_and_keeps_its_record_until_then(ibbench: Command, tmp_path: Path) -> None:
    command = [*TINY, "model=mlp"]
    assert ibbench(*command).returncode == 0
    (path,) = tmp_path.glob("results/tiny/runs/*/record.json")
    first, age = read_record(path), path.stat().st_mtime_ns
    assert "done before" in ibbench(*command).stdout
    assert path.stat().st_mtime_ns == age
    again = ibbench(*command, "rerun=true")
    assert again.returncode == 0
    assert "done before" not in again.stdout
    assert path.stat().st_mtime_ns != age
    assert read_record(path).replicas == first.replicas


@pytest.mark.slow
def test_a_run_that_fails_when_it_is_redone_keeps_its_record(ibbench: Command, tmp_path: Path) -> None:
    command = [*TINY, "model=mlp", "rerun=true"]
    assert ibbench(*command).returncode == 0
    (before,) = read_records(tmp_path / "results" / "tiny")
    code = "import ibbench.run.execute, ibbench.cli; ibbench.run.execute.train_pack = None; ibbench.cli.main()"
    failed = subprocess.run([sys.executable, "-c", code, *command], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1, failed
    assert "Not finished: mlp-" in failed.stdout
    assert read_records(tmp_path / "results" / "tiny") == [before]


def test_a_lock_left_on_a_finished_run_does_not_make_it_unfinished(ibbench: Command, tmp_path: Path) -> None:
    assert ibbench(*TINY, "model=mlp").returncode == 0
    (folder,) = tmp_path.glob("results/tiny/runs/mlp-*")
    dead = subprocess.run([sys.executable, "-c", _LEAVES_A_LOCK, folder], capture_output=True, text=True)
    assert (dead.returncode, (folder / "lock").exists()) == (-signal.SIGKILL, True), dead
    told = ibbench("status", "results/tiny")
    assert (told.returncode, "1 runs, 1 done" in told.stdout) == (0, True), told.stdout


_LEAVES_A_LOCK = """
import os, pathlib, signal, sys
from ibbench.record.lease import hold
with hold(pathlib.Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _write_many(folder: Path, source: Path, writer: int) -> None:
    record = read_record(source)
    for number in range(25):
        run = f"mlp-{writer}x{number}"
        config = record.config | {"seeds": [writer * 1000 + number]}
        write_record(folder / "runs" / run, record.model_copy(update={"run": run, "config": config}))


def test_of_eight_processes_that_write_at_once_no_record_is_lost(ibbench: Command, tmp_path: Path) -> None:
    assert ibbench(*TINY, "model=mlp").returncode == 0
    (source,) = tmp_path.glob("results/tiny/runs/*/record.json")
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=_write_many, args=(tmp_path / "many", source, writer)) for writer in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    records = read_records(tmp_path / "many")
    assert len({record.run for record in records}) == len(records) == 200
    for path in tmp_path.glob("many/runs/*/record.json"):
        json.loads(path.read_text())
