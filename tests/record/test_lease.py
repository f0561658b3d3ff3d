"""A run belongs to one process: to the living one that holds it, whatever the clocks say, and to no dead one."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ibbench.record.lease
from ibbench.options.config import Config
from ibbench.record.lease import LOCK, LostError, TakenError, describe_owner, hold, seconds_since_sign
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from tests.forked import started

HOLDS = """
import sys, time
from pathlib import Path
from ibbench.record.lease import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
ELSEWHERE = "filelock/2\npid={pid}\nhost=another-machine\nmode=lease\ntoken=0123456789abcdef\nduration={duration}\n"


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock of `tmp_path` in another process."""
    with started([sys.executable, "-c", HOLDS, str(tmp_path)]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.parametrize("touched", [None, 0, 4_000_000_000], ids=["now", "1970", "2096"])
def test_what_a_living_process_holds_is_not_taken_whatever_the_clock_says(
    owner: subprocess.Popen[str], touched: int | None, tmp_path: Path
) -> None:
    if touched is not None:  # as a clock would that has jumped
        os.utime(tmp_path / LOCK, (touched, touched))
    with pytest.raises(TakenError, match=rf"is trained by .*, process {owner.pid}"), hold(tmp_path, patience=1.5):
        pass
    assert seconds_since_sign(tmp_path) == 0
    assert str(owner.pid) in describe_owner(tmp_path)


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_what_a_process_held_that_was_killed_is_taken_at_once(
    owner: subprocess.Popen[str], reaped: bool, tmp_path: Path
) -> None:
    owner.kill()
    if reaped:
        owner.wait()
    else:
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)  # dead, and left as it is
    assert seconds_since_sign(tmp_path) == float("inf")
    with hold(tmp_path) as lease:
        lease.check()
        assert str(os.getpid()) in describe_owner(tmp_path)
    assert describe_owner(tmp_path) == ""


def test_an_owner_on_another_machine_is_believed_dead_when_it_gives_no_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibbench.record.lease, "EXPIRES_SECONDS", 2.0)
    monkeypatch.setattr(ibbench.record.lease, "BEAT_SECONDS", 0.5)
    monkeypatch.setattr(ibbench.record.lease, "_LOOK_SECONDS", 0.5)  # looking does not begin the wait anew
    lock = tmp_path / LOCK
    lock.write_text(ELSEWHERE.format(pid=os.getpid(), duration=2.0))
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.3):
            lock.touch()

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(TakenError, match="another-machine"), hold(tmp_path, patience=4):
            pass
    finally:
        done.set()
        heart.join()
    started_at = time.monotonic()
    with hold(tmp_path, patience=20) as lease:
        lease.check()
    assert 1.5 < time.monotonic() - started_at < 15


@pytest.mark.parametrize("left", ["", "filelock/2\npid="], ids=["empty", "cut off"])
def test_a_lock_that_names_nobody_is_removed_when_it_gives_no_sign(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So a machine can leave it that loses power. filelock does not take it over, nor any lock on NFS: so both are left
    # to the same rule, by which a lock that nobody touches is removed.
    monkeypatch.setattr(ibbench.record.lease, "EXPIRES_SECONDS", 1.0)
    monkeypatch.setattr(ibbench.record.lease, "BEAT_SECONDS", 0.3)
    monkeypatch.setattr(ibbench.record.lease, "_LOOK_SECONDS", 0.3)
    (tmp_path / LOCK).write_text(left)
    with pytest.raises(TakenError), hold(tmp_path, patience=0.7):
        pass
    with hold(tmp_path, patience=5) as lease:
        lease.check()
    assert list(tmp_path.iterdir()) == []


def test_a_lost_run_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with hold(folder) as lease:
        lease.check()
        (folder / LOCK).unlink()
        (folder / LOCK).write_text(ELSEWHERE.format(pid=7, duration=120.0))
        with pytest.raises(LostError, match="taken over by another-machine, process 7"):
            lease.check()
        shutil.rmtree(folder)
        with pytest.raises(LostError, match="was deleted or moved while it trained"):
            lease.check()
    assert not folder.exists()


def test_a_process_that_lost_its_run_leaves_the_record_of_the_other_alone(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    point = plan(config("experiment=tiny", "model=mlp", "seeds=[0]", f"results_dir={tmp_path}"))

    def taken_over(*_: object, **__: object) -> tuple[()]:  # while this process was asleep
        (point.folder / LOCK).unlink()
        (point.folder / LOCK).write_text(ELSEWHERE.format(pid=7, duration=120.0))
        (point.folder / "record.json").write_text("of the other")
        return ()

    monkeypatch.setattr("ibbench.run.execute.measure_baselines", taken_over)
    record = execute(point)
    assert record is not None
    assert record.status == "failed"
    assert (point.folder / "record.json").read_text() == "of the other"
    assert "failed: it was taken over by another-machine" in capfd.readouterr().out
