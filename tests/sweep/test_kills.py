"""Processes that are killed at any moment, and commands that are given twice, leave the numbers as they would be."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ibbench.options.compose import compose_config
from ibbench.record.folder import read_records
from ibbench.record.lease import seconds_since_sign
from ibbench.run.execute import execute
from ibbench.run.plan import Point, plan
from tests.forked import Forked, run_apart

KILLS = 20
STUDY = ["seeds=[0,1]", "data.train_size=640", "data.validation_size=200", "data.test_size=200", "budget.value=10000"]
TRAINING = ["trainer.epochs=20", "trainer.compile=false", "trainer.checkpoint_seconds=0.1"]
Replicas = dict[str, object]


def _replicas(study: Path) -> Replicas:
    return {record.run: record.replicas for record in read_records(study)}


class Killed(NamedTuple):
    """What an undisturbed training comes to, and several whose processes were killed; how many, and what they said."""

    undisturbed: Replicas
    disturbed: list[Replicas]
    kills: int
    printed: str


def _fork(points: list[Point], log: Path) -> int:
    """Train some points in a process of their own, as two commands would that are given at the same time."""
    process = os.fork()
    if process:
        return process
    with contextlib.suppress(BaseException):
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        for patience in (0.0, -1.0):  # what the other trains is left to it, and waited for in the end
            records = [execute(point, patience) for point in points]
        assert all(record and record.status == "done" for record in records)
        os._exit(0)
    os._exit(1)


def _kill_often(folder: Path) -> Killed:
    moments = random.Random(0)
    started = time.monotonic()
    assert os.waitpid(_fork(_points(folder / "undisturbed"), folder / "undisturbed.log"), 0)[1] == 0
    seconds = time.monotonic() - started
    kills, disturbed = 0, []
    while kills < KILLS:  # one study may be finished too early for all of them
        place = folder / f"disturbed-{len(disturbed)}"
        points = _points(place)
        running = [_fork(points, place.with_suffix(".log")) for _ in range(2)]
        while running:
            if kills < KILLS:
                time.sleep(moments.uniform(0, seconds / 8))
                os.kill(running[0], signal.SIGKILL)
            ended_by = os.WTERMSIG(status := os.waitpid(running.pop(0), 0)[1])
            if ended_by == signal.SIGKILL:
                kills += 1
                running.append(_fork(points, place.with_suffix(".log")))
            else:
                assert status == 0
        disturbed.append(_replicas(place / "quick"))
    printed = "".join(path.read_text() for path in folder.glob("disturbed-*.log"))
    return Killed(_replicas(folder / "undisturbed" / "quick"), disturbed, kills, printed)


def _points(place: Path) -> list[Point]:
    return [
        plan(compose_config([f"model={name}", f"results_dir={place}", *STUDY, *TRAINING])) for name in ("mlp", "gnn")
    ]


@pytest.mark.slow
def test_kills_at_random_moments_change_no_digit(tmp_path: Path) -> None:
    killed: Killed = run_apart(_kill_often, tmp_path)
    assert killed.kills >= KILLS
    assert killed.printed.count("resuming after step") >= 3, killed.printed
    assert len(killed.undisturbed) == 2
    assert all(disturbed == killed.undisturbed for disturbed in killed.disturbed)
    left = {path.name for path in tmp_path.glob("disturbed-*/quick/runs/*/*")}
    # A process that dies between its record and its release leaves a lock, which is known as that of a dead one.
    locks = list(tmp_path.glob("disturbed-*/quick/runs/*/lock"))
    assert all(seconds_since_sign(lock.parent) == float("inf") for lock in locks)
    assert left - {"lock"} == {
        "record.json", "history.csv", "predictions.npz", "weights.safetensors", "domain.safetensors",
    }  # fmt: skip


@pytest.mark.slow
def test_of_two_identical_commands_each_run_is_trained_by_one(
    ibbench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    command = ["train", "model=mlp,gnn", *STUDY, "trainer.epochs=8"]
    commands = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        commands.append(Forked(command, tmp_path, tmp_path / name))
    ended = [forked.end() for forked in commands]
    assert [done.returncode for done in ended] == [0, 0], ended
    found = _replicas(tmp_path / "results" / "quick")
    for run in found:
        assert sorted(bool(re.search(rf"{run}: step \d+/\d+ \(epoch 8\)", done.stdout)) for done in ended) == [
            False,
            True,
        ], ended
    assert ended[0].stdout.partition("quick: gap in eV")[2] == ended[1].stdout.partition("quick: gap in eV")[2]
    alone = tmp_path / "alone"
    alone.mkdir()
    assert ibbench(*command, cwd=alone).returncode == 0
    assert _replicas(alone / "results" / "quick") == found
