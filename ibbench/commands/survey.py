"""`ibbench survey`: whether a device computes what the CPU does, how fast it trains, and what a replica takes there.

It is made of many small measurements with a file each, so that it can be interrupted, and spread over several commands.
"""

import contextlib
import importlib.util
import math
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.errors import INTERRUPTED, InputError
from ibbench.models import STANDARD_MODELS, built_in_models
from ibbench.models.registry import get_model
from ibbench.options.compose import compose_config, expand
from ibbench.options.config import Config
from ibbench.options.typed import as_hydra_reads
from ibbench.record.folder import TABLE_TEXT, study_folder
from ibbench.record.tables import write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Remark
from ibbench.report.survey import page
from ibbench.run.plan import plan
from ibbench.speed.survey.folder import Taken, read_taken, write_taken
from ibbench.speed.survey.measurement import FULL, SMALL, WAYS, Measurement, Scale, list_measurements
from ibbench.speed.survey.process import Surveyor
from ibbench.speed.survey.tables import RATES, fastest_ways, make_tables
from ibbench.terminal import mention, say
from ibbench.training.device import choose_device, describe_device, one_thread
from ibbench.training.step import compiler

FAILED = 1  # exit code
_WITH_PEER = frozenset({"mlp", "deep_sets", "gnn", "graph_transformer"})
_SAVE_SECONDS = 30.0  # for a training to save its state and end, after it was asked to
_LEAST_SECONDS = 20.0  # below which no training is begun


def survey_device(overrides: Sequence[str], minutes: float | None, small: bool, train: bool, console: Console) -> None:
    """Take the measurements that are missing, and write the tables of all that were taken.

    Args:
        overrides: options of the config; `device=cuda` chooses the device, `model=a,b` the models.
        minutes: how long the command may take, in minutes; None for no limit.
        small: whether to measure at tiny sizes, which shows that everything works and no more.
        train: whether to train `experiment=standard` in the time that is left after all measurements.
        console: the terminal to print on.

    Raises:
        InputError: the config is not possible, or the folder has measurements of another device.
        SystemExit: with exit code 1 if a measurement has failed or a device disagrees with the CPU, 130 after an
            interrupt.
    """
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    if minutes is not None and not minutes > 0:
        raise InputError("--minutes must be above 0")
    scale = SMALL if small else FULL
    config, shared, wanted = _plan(overrides, scale)
    study, device = study_folder(config), choose_device(config.device)
    with one_thread(device):
        named = f"{describe_device(device)}; torch {torch.__version__}"
    taken = read_taken(study, wanted, named)
    interrupted = _measure(study, [one for one in wanted if one.name not in taken], taken, named, deadline)
    order = {one.name: place for place, one in enumerate(wanted)}
    found = sorted(taken.values(), key=lambda one: order[one.name])
    missing, bad = [name for name in order if name not in taken], [one for one in found if one.status != "done"]
    tables = make_tables(found, scale, _standard_molecules(shared, small))
    written = page(study.name, tables, missing, bad, named, device.type == "cuda")
    files = {name: to_csv(table) for name, table in tables.items() if len(table)}
    write_tables(study, files | {TABLE_TEXT: markdown.write(written)})
    told = f"Written to {study}: {', '.join([*files, TABLE_TEXT])}"
    screen.show([*written[1:], Remark(told)], console, fold=False)
    if interrupted:
        say("Interrupted. What is measured stays; the same command goes on from there.")
        raise SystemExit(INTERRUPTED)
    trained = missing or not train or _train_standard(shared, fastest_ways(tables[RATES]), small, deadline)
    disagrees = [row["model"] for one in found for row in one.rows if not row.get("agrees", True)]
    if bad or disagrees or not trained:
        if bad:
            say(f"{len(bad)} could not be measured; remove their files from {study} to try again.")
        if disagrees:
            say(f"The device does not compute the same as its CPU: {', '.join(dict.fromkeys(disagrees))}")
        raise SystemExit(FAILED)


def _plan(overrides: Sequence[str], scale: Scale) -> tuple[Config, list[str], list[Measurement]]:
    """List the measurements that the options ask for, with the options that all share, and a config with these."""
    given = as_hydra_reads(overrides)
    own_models = any(word.startswith("model=") for word in given)
    points = expand([f"model={','.join(STANDARD_MODELS)}", "name=survey", *given])
    configs = [compose_config(point) for point in points]
    models = [config.model.name for config in configs]
    shared = [word for word in points[0] if not word.startswith("model=")]
    plan(compose_config([*shared, f"model={models[0]}", "data.train_size=100", "trainer.epochs=1"]))
    device = choose_device(configs[0].device)
    can_compile = configs[0].trainer.compile is not False and (device.type == "cuda" or compiler() is not None)
    has_peers = importlib.util.find_spec("torch_geometric") is not None
    if not has_peers:
        mention("The peers are left out: PyTorch Geometric is not installed (ibbench[pyg])")
    return (
        configs[0],
        shared,
        list_measurements(
            [word for word in shared if not word.startswith("trainer.compile=")],
            scale,
            models=models,
            checked=models
            if own_models
            else [name for name in built_in_models() if _reads_what_is_there(name, shared)],
            peers=_WITH_PEER if has_peers else (),
            ways=WAYS if can_compile else WAYS[:1],
            precisions=("float32", *(("tf32",) if device.type == "cuda" else ()), "bfloat16"),
        ),
    )


def _reads_what_is_there(model: str, shared: Sequence[str]) -> bool:
    """Whether the data have the coordinates that a model may need, and the labels: some models restore molecules."""
    if get_model(model).reconstructs:
        return False
    config = compose_config([*shared, f"model={model}"])
    return config.data.source == "qm9pack" or "positions" not in get_model(model).reads_with(config.model)


def _measure(study: Path, left: Sequence[Measurement], taken: dict[str, Taken], device: str, deadline: float) -> bool:
    """Take measurements until none is left or time is up, and add them to `taken`; return whether Ctrl-C has come."""
    with Surveyor(device) as surveyor, contextlib.suppress(KeyboardInterrupt):
        for number, measurement in enumerate(left, 1):
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                still = sum(other.name not in taken for other in left)
                mention(f"Time is up: {still} are left; the same command goes on from there.")
                return False
            in_time = measurement.limit_seconds <= seconds_left
            one = surveyor.take(measurement if in_time else measurement._replace(limit_seconds=seconds_left))
            if one.status == "too slow" and not in_time:
                continue  # it had less time than it may take: the next command tries again
            write_taken(study, one)
            taken[one.name] = one
            told = "" if one.status == "done" else f": {one.status}, {one.message}"
            mention(f"{number} of {len(left)}  {one.name}  {one.seconds:.1f} s{told}")
        return False
    return True


def _standard_molecules(shared: Sequence[str], small: bool) -> int:
    """Return how many molecules one model of the standard experiment trains on, of all replicas and epochs."""
    standard = compose_config(_standard(shared, small))
    assert standard.trainer.epochs and standard.data.train_size
    return standard.num_replicas * standard.data.train_size * standard.trainer.epochs


def _standard(shared: Sequence[str], small: bool) -> list[str]:
    """Return the options of the standard experiment on this device, with those that say where and on what."""
    kept = ("device=", "results_dir=", "data.source=")
    return [f"experiment={'[standard,tiny]' if small else 'standard'}", *(w for w in shared if w.startswith(kept))]


def _train_standard(shared: Sequence[str], ways: Mapping[str, str], small: bool, deadline: float) -> bool:
    """Train the standard experiment, model by model, each in the way that was fastest, until time is up.

    Returns:
        Whether no training has failed.
    """
    for model, way in ways.items():
        compiled = {"eager": "false", "compiled": "true", "graphs": "graphs"}[way]
        name = "name=survey_small_standard" if small else "name=standard"
        options = [*_standard(shared, small), name, f"model={model}", f"trainer.compile={compiled}"]
        left = deadline - time.monotonic() - _SAVE_SECONDS
        if left < _LEAST_SECONDS:
            mention(f"Time is up: training {model} is left; the same command does it.")
            return True
        mention(f"Training experiment=standard with {model}, {way}")
        code = _train(options, left)
        if code is None:
            mention("Time is up: the training has saved its state; the same command goes on from there.")
            return True
        if code:
            return False
    return True


def _train(options: Sequence[str], seconds: float) -> int | None:
    """Run `ibbench train`; return its exit code, or None if time was up and it was asked to save its state and end."""
    with subprocess.Popen([sys.executable, "-m", "ibbench", "train", *options]) as process:
        try:
            return process.wait(None if math.isinf(seconds) else seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait()
            return None
