"""The record: what a run leaves behind, checked when it is read."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, ValidationError, model_validator

from ibbench.data.unseen import Counts, Sight
from ibbench.errors import InputError
from ibbench.files import write_atomically

SCHEMA_VERSION = 1
RECORD = "record.json"  # in the folder of a run


class BrokenError(InputError):
    """A file that a run has left cannot be read, or is of another run.

    Args:
        path: the file.
        reason: what is wrong with it.
        remedy: what to do; by default to train the run again, which replaces the file.

    Attributes:
        path: as given.
        reason: as given.
        remedy: what to do, in a sentence without its full stop.
        is_lost: whether nothing but another training helps.
    """

    def __init__(self, path: Path, reason: str, remedy: str = "") -> None:
        self.path, self.reason, self.is_lost = path, reason, not remedy
        self.remedy = remedy or "The same `ibbench train` command trains its run again"
        super().__init__(f"{path} is not readable: {reason}. {self.remedy}")


class NewerError(ValueError):
    """A file was written by a version of the code that is newer than this one."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricsEntry(_Entry):
    """Errors over one set of molecules: `training.metrics.Metrics`, null where that is undefined."""

    mae: NonNegativeFloat
    rmse: NonNegativeFloat
    r2: float | None
    mae_over_std: float | None


class TrialEntry(_Entry):
    """One training of a replica, with hyper-parameters that its seed drew, or with those of the config.

    `test_mae` is known of the trainings for half of the steps and for all of them. Errors are in the target's unit.
    """

    steps: int
    lr: float
    weight_decay: float
    dropout: float
    validation_mae: float | None  # None: it diverged
    test_mae: float | None = None


class ReplicaEntry(_Entry):
    """One (target, seed) of a run, or of a baseline.

    `epochs` and `best_epoch` are passes over the train subset, `steps` and `molecules` (with those of all its trials)
    None in records of older versions. `trials` are all trainings that the replica was chosen from, if there was more
    than one; the last of them is the one that was chosen, and the errors below are its.
    """

    target: str
    seed: int
    unit: str
    best_epoch: int | float
    epochs: int | float
    steps: int | None = None
    molecules: int | None = None
    train: MetricsEntry
    validation: MetricsEntry
    test: MetricsEntry
    trials: tuple[TrialEntry, ...] = ()


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


class DataEntry(_Entry):
    """Counts of the data set: rows that can be used, those that cannot, and what `data.repeats.Repeats` has."""

    molecules: int
    rejected: int
    repeats: int
    contradicting: int


class RungEntry(_Entry):
    """The place of a run in a ladder of assumptions, and what it assumes beyond the rung called `after`."""

    number: int
    name: str
    adds: str
    after: str | None


class UnseenEntry(Counts):
    """What the molecules of a run carry, and what of a molecule its model reads."""

    sight: Sight


class MadeEntry(_Entry):
    """How a record came about: time (UTC, ISO 8601), host, command line, and the git commit of the current folder.

    `revision` ends with `+` where files differed from the commit; it is None outside of a repository.
    """

    at: str
    host: str
    command: str
    revision: str | None


class PluginEntry(_Entry):
    """A plugin that a run was trained with: what it gave (`model`, `source` or `baselines.NAME`), and which it was.

    `place` is a path on the machine where the run was trained, or the name of a module; nothing is loaded from there
    because a record says so.
    """

    gives: str
    name: str
    place: str
    digest: str


class SplitSizesEntry(_Entry):
    """How many molecules each part of a split has; train subsets are drawn from the pool."""

    train_pool: int
    validation: int
    test: int


class Record(_Entry):
    """Everything that is known about one run; `config` holds the options that can change its numbers.

    `rung` is its place in a ladder, if it was trained as one; `worth_at` the train size at which its study is to tell
    what assumptions are worth, if the config names one; `trial` the number of the draw of a random search that
    its options come from, if they do; `plugins` those that it was trained with, if there were any; `made`, `data`,
    `unseen` and `split_sizes` are None in records of older versions.
    """

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
    data: DataEntry | None = None
    cost: CostEntry | None = None
    replicas: tuple[ReplicaEntry, ...] = ()
    baselines: tuple[BaselineEntry, ...] = ()
    error: ErrorEntry | None = None
    rung: RungEntry | None = None
    worth_at: int | None = None
    trial: int | None = None
    made: MadeEntry | None = None
    unseen: UnseenEntry | None = None
    split_sizes: SplitSizesEntry | None = None
    plugins: tuple[PluginEntry, ...] | None = None

    @model_validator(mode="after")
    def _says_what_it_must(self) -> Self:
        model, data = self.config.get("model"), self.config.get("data")
        if not isinstance(model, dict) or "name" not in model or not isinstance(data, dict) or "hydrogens" not in data:
            raise ValueError("config lacks model.name or data.hydrogens")
        if self.status == "done" and (self.cost is None or not self.replicas):
            raise ValueError("a run that is done has a cost and replicas")
        return self


def write_record(folder: Path, record: Record) -> None:
    """Write `record.json` into the folder of a run, whole or not at all."""
    text = json.dumps(json.loads(record.model_dump_json()), indent=1, ensure_ascii=False)
    write_atomically(folder / RECORD, text + "\n")


def read_record(path: Path) -> Record:
    """Read one `record.json`.

    Raises:
        BrokenError: it is not a record that this version can read.
    """
    try:
        return Record.model_validate(read_versioned(path.read_text(), SCHEMA_VERSION))
    except NewerError as error:
        raise BrokenError(path, str(error), "Update this ibbench, or move the folder of the run away") from None
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except (ValueError, RecursionError) as error:
        raise BrokenError(path, explain(error)) from None


def read_versioned(text: str, version: int) -> Any:
    """Read JSON that carries a `schema_version`.

    Raises:
        ValueError: it is not JSON, or of another version than this code reads (`NewerError`: of a newer one).
    """
    content = json.loads(text)
    found = content.get("schema_version") if isinstance(content, dict) else None
    if type(found) is not int or found != version:
        told = f"its schema_version is {found!r} and this ibbench reads {version}"
        if isinstance(found, int) and found > version:
            raise NewerError(f"{told}: written by a newer ibbench, update this one")
        raise ValueError(told)
    return content


def explain(error: Exception) -> str:
    """Say in a line why a file could not be read."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{error.error_count()} fields are wrong, such as {where or 'the whole'}: {first['msg']}"
