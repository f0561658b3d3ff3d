"""The whole command of another package, timed on the same molecules beside `ibbench train` to the same error."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ibbench.errors import InputError
from ibbench.options.words import Outside
from ibbench.record.schema import RECORD, read_record
from ibbench.run.plan import Point
from ibbench.speed.columns import OUTSIDE_COLUMNS

_PARTS = ("train", "validation", "test")
_MOST_DOUBLINGS = 8  # of the epochs of ours, after which the other's error counts as not reached
_TOLD_LINES = 3  # of a command that failed


def find_command(peer: Outside) -> str:
    """Return the path of the command of another package.

    Raises:
        InputError: there is none on the PATH.
    """
    command = shutil.which(peer)
    if not command:
        raise InputError(
            f"`--peer {peer}` runs the command `{peer}`, which is not on the PATH: `pip install {peer}`, perhaps in an "
            "environment of its own whose folder `bin` is put on the PATH"
        )
    return command


def compare_commands(
    point: Point, overrides: Sequence[str], command: str, say: Callable[[str], object]
) -> pd.DataFrame:
    """Time chemprop's command for the epochs of the config, and `ibbench train` until its error is as low.

    Ours is trained anew for 1, 2, 4, … epochs, each with a schedule of its own, until its test error is at most that of
    the other. Both are timed from the start of the command to its end, one after the other, with all cores that
    each uses by itself. Ours finds its molecules featurized in the data cache; the other featurizes them anew.

    Args:
        point: the model, its data and one target and seed.
        overrides: the options of that point, for the command of ours.
        command: the path of chemprop's command.
        say: a function that is given a line after each command.

    Returns:
        A row per command, with `OUTSIDE_COLUMNS`.

    Raises:
        InputError: the config has several replicas, or a length in steps, or a command failed.
    """
    config = point.config
    if config.num_replicas != 1 or config.trainer.epochs is None or not len(point.split.test):
        raise InputError("`--peer` compares one replica by its test error: expected one target, one seed, and epochs")
    target = point.dataset.targets[point.dataset.column(config.targets[0])]
    if target.is_class or target.logarithmic or config.data.labels != "true" or config.data.label_noise:
        raise InputError("`--peer` compares mean absolute errors on true labels: expected a target of plain numbers")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [_time_chemprop(point, command, config.trainer.epochs, folder)]
        say(f"chemprop: {rows[0]['test_mae']:.4g} {rows[0]['unit']} in {rows[0]['seconds']:.1f} s")
        for doubling in range(_MOST_DOUBLINGS + 1):
            rows.append(_time_ours(point, overrides, 2**doubling, folder, goal=rows[0]["test_mae"]))
            say(f"ours, {2**doubling} epochs: {rows[-1]['test_mae']:.4g} in {rows[-1]['seconds']:.1f} s")
            if rows[-1]["reached"]:
                break
    return pd.DataFrame(rows, columns=list(OUTSIDE_COLUMNS))


def _time_chemprop(point: Point, command: str, epochs: int, folder: Path) -> dict[str, Any]:
    (target,), (seed,) = point.config.targets, point.config.seeds
    split = point.split.of_target(target)
    values = point.dataset.values[:, point.dataset.column(target)]
    indices = dict(zip(_PARTS, (split.train_subset(seed), split.validation, split.test), strict=True))
    for part, index in indices.items():
        smiles = [point.dataset.smiles[place] for place in index.tolist()]
        pd.DataFrame({"smiles": smiles, target: values[index].numpy()}).to_csv(folder / f"{part}.csv", index=False)
    paths = [str(folder / f"{part}.csv") for part in _PARTS]
    words = [command, "train", "--data-path", *paths, "--smiles-columns", "smiles", "--target-columns", target]
    words += ["--task-type", "regression", "--loss-function", "mae", "--metrics", "mae", "--tracking-metric", "mae"]
    words += ["--epochs", str(epochs), "--batch-size", str(point.config.trainer.batch_size)]
    words += ["--accelerator", "cpu", "--pytorch-seed", str(seed), "--output-dir", str(folder / "chemprop")]
    seconds = _run(words, folder)
    found = sorted((folder / "chemprop").rglob("test_predictions.*"))
    predicted = pd.read_csv(found[0])[target].to_numpy() if found else np.array([])
    truth = values[split.test].numpy()
    if len(predicted) != len(truth):
        raise InputError(f"`chemprop train` left predictions of {len(predicted)} of {len(truth)} test molecules")
    return _row(point, "chemprop", epochs, float(np.abs(predicted - truth).mean()), seconds, None)


def _time_ours(point: Point, overrides: Sequence[str], epochs: int, folder: Path, goal: float) -> dict[str, Any]:
    study = folder / f"epochs-{epochs}"
    own = [f"trainer.epochs={epochs}", "device=cpu", f"results_dir={folder}", f"name={study.name}"]
    # In the folder of the user: paths of files among the options may be relative to it.
    seconds = _run([sys.executable, "-m", "ibbench", "train", *overrides, *own, "--quiet"], Path.cwd())
    (record,) = [read_record(path) for path in study.glob(f"runs/*/{RECORD}")]
    error = record.replicas[0].test
    assert error is not None
    return _row(point, "ours", epochs, error.mae, seconds, error.mae <= goal)


def _row(point: Point, who: str, epochs: int, error: float, seconds: float, reached: bool | None) -> dict[str, Any]:
    target = point.dataset.targets[point.dataset.column(point.config.targets[0])]
    return {
        "who": who,
        "model": point.config.model.name if who == "ours" else "",
        "target": target.name,
        "unit": target.unit,
        "train_size": point.split.train_size,
        "epochs": epochs,
        "test_mae": error,
        "seconds": seconds,
        "reached": reached,
    }


def _run(words: Sequence[str], folder: Path) -> float:
    """Run a command in a folder, with as many threads as it takes by itself; return its seconds."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    started = time.perf_counter()
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ended.returncode:
        last = " / ".join((ended.stderr or ended.stdout).strip().splitlines()[-_TOLD_LINES:])
        raise InputError(f"`{Path(words[0]).name} {words[1]} …` exited with {ended.returncode}: {last}")
    return seconds
