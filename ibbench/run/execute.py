"""One run: a planned point in, a folder with a record out."""

import contextlib
import importlib.metadata
import platform
import traceback
from typing import Any, Literal

import pandas as pd
import torch

from ibbench.budget.cost import count_flops, count_parameters
from ibbench.data.sources import get_source
from ibbench.errors import DivergedError, InputError
from ibbench.files import write_atomically
from ibbench.models.registry import get_model
from ibbench.record.folder import (
    CHECKPOINTS,
    HISTORY,
    START_ERROR,
    WEIGHTS,
    adopt_names,
    name_in_study,
    read_finished,
    record_age,
)
from ibbench.record.lease import Lease, LostError, TakenError, hold
from ibbench.record.made import describe_making, find_revision
from ibbench.record.predictions import write_predictions
from ibbench.record.schema import (
    SCHEMA_VERSION,
    CostEntry,
    ErrorEntry,
    Record,
    SplitSizesEntry,
    write_record,
)
from ibbench.run.baselines import measure_baselines
from ibbench.run.pack import train_pack
from ibbench.run.plan import Point
from ibbench.terminal import say
from ibbench.training.device import choose_device, describe_device, peak_memory_mb, reset_peak_memory
from ibbench.training.packs import choose_pack_size, list_replicas, split_into_packs
from ibbench.training.replicas import Replica
from ibbench.training.saved import saved_pack_size
from ibbench.training.weights import WeightFacts, write_weights

_PACKAGES = ("ibbench", "torch", "numpy", "rdkit")


def execute(point: Point, patience: float = 0.0) -> Record | None:
    """Train all replicas of a run and write its folder; a run that is finished already is only read.

    A failure becomes a `failed` record with the reason, so that the other runs of a sweep go on. Only a signal that
    asks to stop is passed on; the run then resumes from its last checkpoint next time, as it does after a failure that
    was not its own, such as a full disk.

    Args:
        point: the run.
        patience: seconds to wait for another process that trains it; -1 for as long as it takes.

    Returns:
        Its record; None if another process trains it.
    """
    try:
        record = _find_finished(point)
        if record is None:
            age = record_age(point.folder)
            with hold(point.folder, patience) as lease:
                redone = record_age(point.folder) != age  # by the process that held it
                record = _find_finished(point, redone) or _attempt(point, lease)
        return record
    except TakenError as error:
        say(f"{point.run}: {error}")
        return None
    except Exception as error:  # not even the lock could be written
        return _fail(point, error)


def _find_finished(point: Point, redone: bool = False) -> Record | None:
    record = None if point.config.rerun and not redone else read_finished(point.folder)
    if record:
        adopt_names(point.folder, point.config)
        say(f"{point.run}: done before")
    return record


def _attempt(point: Point, lease: Lease) -> Record:
    """Train a run that is this process's, and leave its record whatever happens."""
    find_revision()
    for leftover in (*point.folder.glob(".*.tmp"), point.folder / START_ERROR):  # of those that were here before
        leftover.unlink(missing_ok=True)
    try:
        record = _train(point, lease)
        lease.check()
        write_record(point.folder, record)
    except Exception as error:  # the sweep must go on, whatever it was
        record = _fail(point, error)
        try:
            lease.check()
            if not read_finished(point.folder):  # with `rerun=true` the old record is kept until there is a new one
                write_record(point.folder, record)
        except (LostError, OSError, InputError):  # a full disk has no room for the record of it either
            return record
        if not isinstance(error, DivergedError):
            return record
    for checkpoint in point.folder.glob(CHECKPOINTS):
        with contextlib.suppress(OSError):
            checkpoint.unlink()
    return record


def _fail(point: Point, error: Exception) -> Record:
    message = str(error) or type(error).__name__
    say(f"{point.run}: failed: {message}")
    return _record(point, "failed", error=ErrorEntry(message=message, traceback=traceback.format_exc()))


def _train(point: Point, lease: Lease) -> Record:
    config, folder, padding = point.resolved, point.folder, point.dataset.molecules.padding
    device = choose_device(config.device)
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    replicas = list_replicas(config)
    size = saved_pack_size(folder) if config.trainer.replicas_per_pack == "auto" else None
    packs = split_into_packs(replicas, size or choose_pack_size(config, padding, device))
    reset_peak_memory(device)
    trained = [train_pack(point, lease, pack, number, len(packs), device) for number, pack in enumerate(packs)]
    baselines = measure_baselines(point.dataset, point.split, replicas)
    lease.check()
    write_predictions(
        folder,
        index=point.split.test.numpy(),
        ids=point.dataset.ids[point.split.test].numpy(),
        replicas=replicas,
        truth=torch.cat([pack.truth for pack in trained]).numpy(),
        prediction=torch.cat([pack.prediction for pack in trained]).numpy(),
        baselines={baseline.entry.name: baseline.prediction.numpy() for baseline in baselines},
    )
    history = pd.DataFrame([row for pack in trained for row in pack.history])
    write_atomically(folder / HISTORY, history.to_csv(index=False, lineterminator="\n"))
    weights = {name: torch.cat([pack.weights[name] for pack in trained]) for name in trained[0].weights}
    write_weights(folder / WEIGHTS, weights, _describe_weights(point, replicas))
    train_seconds = sum(pack.train_seconds for pack in trained)
    cost = CostEntry(
        parameters=count_parameters(padding.num_atoms, config.model),
        flops_per_molecule=count_flops(padding, config.model),
        train_seconds=train_seconds,
        validation_seconds=sum(pack.validation_seconds for pack in trained),
        molecules_per_second=sum(pack.molecules for pack in trained) / train_seconds,
        peak_memory_mb=peak_memory_mb(device),
    )
    return _record(
        point,
        "done",
        cost=cost,
        replicas=tuple(entry for pack in trained for entry in pack.entries),
        baselines=tuple(baseline.entry for baseline in baselines),
    )


def _describe_weights(point: Point, replicas: list[Replica]) -> WeightFacts:
    config, dataset = point.resolved, point.dataset
    return WeightFacts(
        replicas=tuple(replicas),
        units=tuple(dataset.targets[dataset.column(target)].unit for target, _ in replicas),
        options=config.model,
        num_atoms=dataset.molecules.padding.num_atoms,
        hydrogens=config.data.hydrogens,
        graph=config.data.graph,
        precision=config.precision,
    )


def _record(point: Point, status: Literal["done", "failed"], **outcome: Any) -> Record:
    width, hidden = point.resolved.model.sizes
    split = point.split
    return Record(
        schema_version=SCHEMA_VERSION,
        status=status,
        run=point.run,
        config=point.config.numerics(),
        width=width,
        hidden=hidden,
        assumptions=get_model(point.config.model.name).assumptions(),
        train_size=split.train_size,
        split_fingerprint=split.fingerprint,
        split_sizes=SplitSizesEntry(
            train_pool=len(split.train_pool), validation=len(split.validation), test=len(split.test)
        ),
        data_source=point.dataset.source,
        versions={"python": platform.python_version()} | _versions(point.config.data.source),
        device=describe_device(choose_device(point.config.device)),
        made=describe_making(),
        **name_in_study(point.config),
        **outcome,
    )


def _versions(source: str) -> dict[str, str]:
    versions = {}
    for package in (*_PACKAGES, *get_source(source).packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
