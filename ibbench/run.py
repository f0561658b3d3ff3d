"""One run: a planned point in, a folder with a record out."""

import contextlib
import importlib.metadata
import platform
import traceback
from typing import Any, Literal, NamedTuple

import pandas as pd
import torch
from torch import Tensor

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
from ibbench.errors import DivergedError
from ibbench.files import write_atomically
from ibbench.interrupt import raise_if_asked
from ibbench.models.cost import count_flops, count_parameters
from ibbench.models.registry import get_model
from ibbench.plan import Point
from ibbench.recall import name_in_study, read_finished
from ibbench.terminal import say, terminal
from ibbench.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from ibbench.training.device import choose_device, describe_device, peak_memory_mb, reset_peak_memory
from ibbench.training.loop import State, Task, predict, prepare, train
from ibbench.training.metrics import measure
from ibbench.training.packs import choose_pack_size, list_replicas, split_into_packs
from ibbench.training.progress import RunProgress
from ibbench.training.replicas import Replica

_PACKAGES = ("ibbench", "torch", "numpy", "rdkit", "qm9pack")


def execute(point: Point) -> Record:
    """Train all replicas of a run and write its folder; a run that is finished already is only read.

    A failure becomes a `failed` record with the reason, so that the other runs of a sweep go on. Only an
    interruption (Ctrl-C) is passed on; the run then resumes from its last checkpoint next time, as it does after
    a failure that was not its own, such as a full disk.
    """
    try:
        record = read_finished(point.folder, point.config)
        if record:
            say(f"{point.run}: done before")
            return record
        record = _train(point)
        write_record(point.folder, record)
    except Exception as error:  # the sweep must go on, whatever it was
        message = str(error) or type(error).__name__
        say(f"{point.run}: failed: {message}")
        record = _record(point, "failed", error=ErrorEntry(message=message, traceback=traceback.format_exc()))
        with contextlib.suppress(OSError):  # a full disk has no room for the record of it either
            write_record(point.folder, record)
        if not isinstance(error, DivergedError):
            return record
    for checkpoint in point.folder.glob("checkpoint-*.safetensors"):
        with contextlib.suppress(OSError):
            checkpoint.unlink()
    return record


class _Trained(NamedTuple):
    """What a pack of replicas came to; every row is one of them."""

    entries: list[ReplicaEntry]
    truth: Tensor  # of the test molecules, float64 [R, M]
    prediction: Tensor  # float64 [R, M]
    weights: dict[str, Tensor]  # name -> [R, ...], on the CPU
    history: list[dict[str, float | int | str]]
    train_seconds: float
    validation_seconds: float
    molecules: int  # trained on, over all epochs


def _train(point: Point) -> Record:
    config, folder, padding = point.training, point.folder, point.dataset.molecules.padding
    device = choose_device(config.device)
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    replicas = list_replicas(config)
    packs = split_into_packs(replicas, choose_pack_size(config, point.options, padding, device))
    reset_peak_memory(device)
    trained = [_train_pack(point, pack, number, len(packs), device) for number, pack in enumerate(packs)]
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(
        folder,
        index=point.split.test.numpy(),
        ids=point.dataset.ids[point.split.test].numpy(),
        replicas=replicas,
        truth=torch.cat([pack.truth for pack in trained]).numpy(),
        prediction=torch.cat([pack.prediction for pack in trained]).numpy(),
    )
    history = pd.DataFrame([row for pack in trained for row in pack.history])
    write_atomically(folder / "history.csv", history.to_csv(index=False, lineterminator="\n"))
    facts: dict[str, object] = {"replicas": replicas, "options": point.options.model_dump(mode="json")}
    weights = {name: torch.cat([pack.weights[name] for pack in trained]) for name in trained[0].weights}
    save_weights(folder / "weights.safetensors", weights, facts)
    train_seconds = sum(pack.train_seconds for pack in trained)
    cost = CostEntry(
        parameters=count_parameters(padding.num_atoms, point.options),
        flops_per_molecule=count_flops(padding, point.options),
        train_seconds=train_seconds,
        validation_seconds=sum(pack.validation_seconds for pack in trained),
        molecules_per_second=sum(pack.molecules for pack in trained) / train_seconds,
        peak_memory_mb=peak_memory_mb(device),
    )
    baselines = measure_baselines(point.dataset, point.split, replicas)
    entries = tuple(entry for pack in trained for entry in pack.entries)
    return _record(point, "done", cost=cost, replicas=entries, baselines=tuple(baselines))


def _train_pack(point: Point, replicas: list[Replica], number: int, count: int, device: torch.device) -> _Trained:
    """Train one pack from its checkpoint, if there is one, to its end, and leave the checkpoint of that."""
    config, checkpoint = point.training, point.folder / f"checkpoint-{number}.safetensors"
    task, state = prepare(config, point.options, point.dataset, point.split, device, replicas)
    name = point.run if count == 1 else f"{point.run} ({number + 1} of {count})"
    problem = load_checkpoint(checkpoint, state, name)
    if problem:
        say(f"{name}: its checkpoint is not used, {problem}; starting anew")
    elif state.epoch:
        say(f"{name}: resuming after epoch {state.epoch}")
    units = {target.name: target.unit for target in point.dataset.targets}
    saved_at = 0.0
    with RunProgress(terminal(), name, task, units, config.trainer.epochs) as progress:
        for _ in train(task, state, config, point.compiled):
            progress.update(state)
            raise_if_asked()
            spent = state.train_seconds + state.validation_seconds
            if spent - saved_at >= config.trainer.checkpoint_seconds and state.epoch < config.trainer.epochs:
                save_checkpoint(checkpoint, state, name)
                saved_at = spent
    if number + 1 < count:  # an interruption of a later pack must not lose this one
        save_checkpoint(checkpoint, state, name)
    state.models.load(state.best)
    return _evaluate(point, task, state)


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
        **name_in_study(point.config),
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


def _evaluate(point: Point, task: Task, state: State) -> _Trained:
    """Measure each replica on train, validation and test molecules."""
    split = point.split
    predictions, truths = {}, {}
    for part, index in (
        ("train", task.subsets.cpu()),
        ("validation", split.validation),
        ("test", split.test),
    ):
        predictions[part] = predict(task, state.models, index)
        truths[part] = task.scaling.values(index)
    entries = [
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
    return _Trained(
        entries,
        truths["test"],
        predictions["test"],
        {name: tensor.cpu() for name, tensor in state.best.items()},
        state.history,
        state.train_seconds,
        state.validation_seconds,
        task.subsets.numel() * state.epoch,
    )


def _epochs_trained(state: State, row: int, patience: int | None) -> int:
    """Return how many epochs counted for a replica: it goes on with the others when its patience is over."""
    stop = state.epoch if patience is None else int(state.best_epoch[row]) + patience
    return min(state.epoch, stop)
