"""The record: what a run leaves behind, checked when it is read."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ibbench.errors import InputError
from ibbench.files import write_atomically

SCHEMA_VERSION = 1


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricsEntry(_Entry):
    """Errors over one set of molecules: `training.metrics.Metrics`, null where that is undefined."""

    mae: float
    rmse: float
    r2: float | None
    mae_over_std: float | None


class ReplicaEntry(_Entry):
    """One (target, seed) of a run, or of a baseline."""

    target: str
    seed: int
    unit: str
    best_epoch: int
    epochs: int
    train: MetricsEntry
    validation: MetricsEntry
    test: MetricsEntry


class CostEntry(_Entry):
    """What a run cost. Parameters and FLOPs are those of one replica; times are those of all together."""

    parameters: int
    flops_per_molecule: int
    train_seconds: float
    validation_seconds: float
    molecules_per_second: float
    peak_memory_mb: float


class BaselineEntry(_Entry):
    """A prediction that needs no model, on the same molecules."""

    name: str
    parameters: int
    replicas: tuple[ReplicaEntry, ...]


class ErrorEntry(_Entry):
    """Why a run failed."""

    message: str
    traceback: str


class Record(_Entry):
    """Everything that is known about one run; `config` holds the options that can change its numbers."""

    schema_version: int
    status: Literal["done", "failed"]
    run: str
    config: dict[str, Any]
    width: int
    hidden: int
    assumptions: dict[str, str]
    train_size: int
    split_fingerprint: str
    data_source: str
    versions: dict[str, str]
    device: str
    cost: CostEntry | None = None
    replicas: tuple[ReplicaEntry, ...] = ()
    baselines: tuple[BaselineEntry, ...] = ()
    error: ErrorEntry | None = None


def write_record(folder: Path, record: Record) -> None:
    """Write `record.json` into the folder of a run, whole or not at all."""
    text = json.dumps(json.loads(record.model_dump_json()), indent=1, ensure_ascii=False)
    write_atomically(folder / "record.json", text + "\n")


def read_record(path: Path) -> Record:
    """Read one `record.json`.

    Raises:
        InputError: it is not a record that this version can read; the message names the file.
    """
    try:
        content = json.loads(path.read_text())
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise InputError(
                f"{path} was written by a newer ibbench (schema {version}; this one reads {SCHEMA_VERSION}): "
                "update ibbench"
            )
        return Record.model_validate(content)
    except (OSError, ValueError) as error:
        detail = f"{len(error.errors())} fields are wrong" if isinstance(error, ValidationError) else error
        raise InputError(f"{path} is not a readable record: {detail}. Move its folder away and run again") from None


def read_records(study: Path) -> list[Record]:
    """Read the records of all runs of a study, in the order of their folders' names.

    Raises:
        InputError: there are none, or one of them cannot be read.
    """
    paths = sorted(study.glob("runs/*/record.json"))
    if not paths:
        raise InputError(f"{study} holds no records: expected a study, with {study}/runs/<model>-<hash>/record.json")
    records = [read_record(path) for path in paths]
    for path, record in zip(paths, records, strict=True):
        if record.run != path.parent.name:
            raise InputError(f"{path} is the record of {record.run}: a copy, or renamed. Move its folder away")
    _refuse_doubles(paths, records)
    return records


def _refuse_doubles(paths: list[Path], records: list[Record]) -> None:
    """Refuse two runs of one config on the same data: whose figures to take, nobody could tell."""
    found: dict[str, Path] = {}
    for path, record in zip(paths, records, strict=True):
        if record.status != "done":
            continue
        identity = json.dumps([record.config, record.data_source, record.split_fingerprint], sort_keys=True)
        other = found.setdefault(identity, path)
        if other != path:
            raise InputError(
                f"{other.parent} and {path.parent} are runs of the same config, by different versions of the code or "
                "the data: move one of them away"
            )
