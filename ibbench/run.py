"""One run: a validated config in, a folder with a record out."""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import math
import platform
import traceback
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import torch

from ibbench.compare.baselines import measure_baselines
from ibbench.compare.predictions import write_predictions
from ibbench.compare.record import (
    SCHEMA_VERSION,
    CostEntry,
    ErrorEntry,
    MetricsEntry,
    Record,
    ReplicaEntry,
    write_record,
)
from ibbench.config import Config, DataOptions, ModelOptions
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.identity import CACHE_FORMAT
from ibbench.data.splits import Split, split_dataset
from ibbench.errors import DivergedError, InputError
from ibbench.files import write_atomically
from ibbench.models.budget import count_flops, count_parameters, fit_to_budget
from ibbench.models.registry import get_model
from ibbench.recall import read_finished, remember, study_folder
from ibbench.terminal import say, terminal
from ibbench.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from ibbench.training.device import choose_device, describe_device, peak_memory_mb, reset_peak_memory
from ibbench.training.loop import State, Task, predict, prepare, train
from ibbench.training.metrics import measure
from ibbench.training.progress import RunProgress
from ibbench.training.step import compiler, pays

_PACKAGES = ("ibbench", "torch", "numpy", "rdkit", "qm9pack")


class Point(NamedTuple):
    """One point of a sweep, with all that follows from its config before training.

    Attributes:
        config: as validated.
        options: the model with its width solved.
        dataset: the molecules.
        split: of that data set.
        compiled: whether the training step is.
        run: the run's name, `<model>-<hash>`; the hash covers all that can change the numbers.
    """

    config: Config
    options: ModelOptions
    dataset: DataSet
    split: Split
    compiled: bool
    run: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return study_folder(self.config) / "runs" / self.run


def plan(config: Config) -> Point:
    """Find out everything about a run that can be wrong before it is started.

    Raises:
        InputError: the data, the targets, the sizes, the device or the budget are not possible.
    """
    return _plan(config.model_dump_json())


@functools.cache  # the check before a sweep plans each point, and the job that runs in the same process again
def _plan(composed: str) -> Point:
    config = Config.model_validate_json(composed)
    device = choose_device(config.device)
    get_model(config.model.name)
    whole = {"train_size": None, "validation_size": 1, "test_size": 1, "split_seed": 0}
    dataset = _dataset(config.data.model_copy(update=whole).model_dump_json())
    for target in config.targets:
        dataset.column(target)
    split = split_dataset(dataset, config.data)
    num_atoms = dataset.molecules.mask.shape[1]
    options = config.model
    if config.budget:
        options = fit_to_budget(num_atoms, options, config.budget.parameters)
    compiled = _choose_compilation(config, options, split, num_atoms, device)
    facts = config.numerics() | {
        "compiled": compiled,
        "source": dataset.source,
        "sizes": options.sizes,
        "split": split.fingerprint,
        "features": CACHE_FORMAT,
        "schema": SCHEMA_VERSION,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
    run = f"{config.model.name}-{digest}"
    remember(config, run)
    return Point(config, options, dataset, split, compiled, run)


def _choose_compilation(
    config: Config, options: ModelOptions, split: Split, num_atoms: int, device: torch.device
) -> bool:
    wanted = config.trainer.compile
    if wanted is not False and device.type == "cpu" and compiler() is None:
        if wanted is True:
            raise InputError(
                "trainer.compile=true needs a C++ compiler: expected g++ or clang++ on the PATH, or in CXX"
            )
        return False
    if wanted != "auto":
        return wanted
    if device.type != "cpu":
        return False  # not measured
    num_steps = config.trainer.epochs * math.ceil(split.train_size / config.trainer.batch_size)
    num_molecules = config.trainer.epochs * split.train_size * len(config.targets) * len(config.seeds)
    most = 2 * num_atoms * count_parameters(num_atoms, options)  # no model uses a weight more often than once an atom
    return pays(num_steps, most, num_molecules) and pays(num_steps, count_flops(num_atoms, options), num_molecules)


@functools.lru_cache(maxsize=2)  # the points of a sweep mostly share their data, however they are split
def _dataset(options: str) -> DataSet:
    return load_dataset(DataOptions.model_validate_json(options), say)


def execute(point: Point) -> Record:
    """Train all replicas of a run and write its folder; a run that is finished already is only read.

    A failure becomes a `failed` record with the reason, so that the other runs of a sweep go on. Only an
    interruption (Ctrl-C) is passed on; the run then resumes from its last checkpoint next time, as it does after
    a failure that was not its own, such as a full disk.
    """
    checkpoint = point.folder / "checkpoint.safetensors"
    try:
        record = read_finished(point.folder)
        if record:
            say(f"{point.run}: done before")
            return record
        record = _train(point, checkpoint)
        write_record(point.folder, record)
    except Exception as error:  # the sweep must go on, whatever it was
        message = str(error) or type(error).__name__
        say(f"{point.run}: failed: {message}")
        record = _record(point, "failed", error=ErrorEntry(message=message, traceback=traceback.format_exc()))
        with contextlib.suppress(OSError):  # a full disk has no room for the record of it either
            write_record(point.folder, record)
        if not isinstance(error, DivergedError):
            return record
    with contextlib.suppress(OSError):
        checkpoint.unlink(missing_ok=True)
    return record


def _train(point: Point, checkpoint: Path) -> Record:
    config, folder = point.config, point.folder
    device = choose_device(config.device)
    reset_peak_memory(device)
    task, state = prepare(config, point.options, point.dataset, point.split, device)
    problem = load_checkpoint(checkpoint, state, point.run)
    if problem:
        say(f"{point.run}: its checkpoint is not used, {problem}; starting anew")
    elif state.epoch:
        say(f"{point.run}: resuming after epoch {state.epoch}")
    units = {target.name: target.unit for target in point.dataset.targets}
    saved_at = 0.0
    with RunProgress(terminal(), point.run, task, units, config.trainer.epochs) as progress:
        for _ in train(task, state, config, point.compiled):
            progress.update(state)
            spent = state.train_seconds + state.validation_seconds
            if spent - saved_at >= config.trainer.checkpoint_seconds and state.epoch < config.trainer.epochs:
                save_checkpoint(checkpoint, state, point.run)
                saved_at = spent
    state.models.load(state.best)
    folder.mkdir(parents=True, exist_ok=True)
    entries = _evaluate(point, task, state)
    write_atomically(folder / "history.csv", pd.DataFrame(state.history).to_csv(index=False, lineterminator="\n"))
    facts: dict[str, object] = {"replicas": task.replicas, "options": point.options.model_dump(mode="json")}
    save_weights(folder / "weights.safetensors", state.best, facts)
    num_atoms = point.dataset.molecules.mask.shape[1]
    cost = CostEntry(
        parameters=count_parameters(num_atoms, point.options),
        flops_per_molecule=count_flops(num_atoms, point.options),
        train_seconds=state.train_seconds,
        validation_seconds=state.validation_seconds,
        molecules_per_second=task.subsets.numel() * state.epoch / state.train_seconds,
        peak_memory_mb=peak_memory_mb(device),
    )
    baselines = measure_baselines(point.dataset, point.split, task.replicas)
    return _record(point, "done", cost=cost, replicas=tuple(entries), baselines=tuple(baselines))


def _record(point: Point, status: Literal["done", "failed"], **outcome: Any) -> Record:
    model = get_model(point.config.model.name)
    width, hidden = point.options.sizes
    return Record(
        schema_version=SCHEMA_VERSION,
        status=status,
        run=point.run,
        config=point.config.numerics(),
        width=width,
        hidden=hidden,
        assumptions={
            "symmetries": model.symmetries,
            "connectivity": model.connectivity,
            "weights": model.weights,
        },
        train_size=point.split.train_size,
        split_fingerprint=point.split.fingerprint,
        data_source=point.dataset.source,
        versions={"python": platform.python_version()} | _versions(),
        device=describe_device(choose_device(point.config.device)),
        **outcome,
    )


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _evaluate(point: Point, task: Task, state: State) -> list[ReplicaEntry]:
    """Measure each replica on train, validation and test molecules, and write the test predictions."""
    split = point.split
    predictions, truths = {}, {}
    for part, index in (
        ("train", task.subsets.cpu()),
        ("validation", split.validation),
        ("test", split.test),
    ):
        predictions[part] = predict(task, state.models, index)
        truths[part] = task.scaling.values(index)
    write_predictions(
        point.folder,
        index=split.test.numpy(),
        ids=point.dataset.ids[split.test].numpy(),
        replicas=task.replicas,
        truth=truths["test"].numpy(),
        prediction=predictions["test"].numpy(),
    )
    return [
        ReplicaEntry(
            target=target,
            seed=seed,
            unit=point.dataset.targets[point.dataset.column(target)].unit,
            best_epoch=int(state.best_epoch[row]),
            epochs=_epochs_trained(state, row, point.config.trainer.patience),
            **{
                part: MetricsEntry(**measure(predictions[part][row], truths[part][row])._asdict())
                for part in predictions
            },
        )
        for row, (target, seed) in enumerate(task.replicas)
    ]


def _epochs_trained(state: State, row: int, patience: int | None) -> int:
    """Return how many epochs counted for a replica: it goes on with the others when its patience is over."""
    stop = state.epoch if patience is None else int(state.best_epoch[row]) + patience
    return min(state.epoch, stop)
