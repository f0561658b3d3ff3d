"""The record of a run: its fields, checked when it is written and read."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError, model_validator

from ibbench.data.unseen import Counts, Sight
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.metrics import AnyMetricsEntry, Entry

SCHEMA_VERSION = 1
RECORD = "record.json"  # name of the file in the folder of a run


class BrokenError(InputError):
    """A file of a run cannot be read, or belongs to another run.

    Args:
        path: the file.
        reason: what is wrong with the file.
        remedy: what the user can do; by default to train the run again, which replaces the file.

    Attributes:
        path: the file.
        reason: what is wrong with the file.
        remedy: what the user can do, as a sentence without its full stop.
        is_lost: whether the file is damaged, so that nothing but another training helps.
    """

    def __init__(self, path: Path, reason: str, remedy: str = "") -> None:
        self.path, self.reason, self.is_lost = path, reason, not remedy
        self.remedy = remedy or "The same `ibbench train` command trains its run again"
        super().__init__(f"{path} is not readable: {reason}. {self.remedy}")


class NewerError(ValueError):
    """A file was written by a version of the code that is newer than this one."""


class TrialEntry(Entry):
    """One training of a replica, with hyper-parameters that its seed drew, or with those of the config.

    Errors are in the target's unit; of a class they are log losses. `test_mae` is null for trainings that took fewer
    than half of the steps, or that diverged.
    """

    steps: int
    lr: float
    weight_decay: float
    dropout: float
    validation_mae: float | None  # None: it diverged
    test_mae: float | None = None


class ReplicaEntry(Entry):
    """One target and seed of a run, or of a baseline.

    `epochs` and `best_epoch` are passes over the train subset. `molecules` is how often a molecule was trained on, in
    all trials together; it and `steps` are null in records of older versions. `trials` lists all trainings that the
    replica was chosen from, if there were several. The last one was chosen: `train`, `validation` and `test` are its
    errors. `test` is null for a run without test molecules.
    """

    target: str
    seed: int
    unit: str
    best_epoch: int | float
    epochs: int | float
    steps: int | None = None
    molecules: int | None = None
    train: AnyMetricsEntry
    validation: AnyMetricsEntry
    test: AnyMetricsEntry | None = None
    trials: tuple[TrialEntry, ...] = ()

    @property
    def tested(self) -> AnyMetricsEntry:
        """The test errors of a replica that has some."""
        assert self.test is not None
        return self.test


class CostEntry(Entry):
    """What a run cost. Parameters and FLOPs (of one prediction) are those of one replica; seconds are those of all."""

    parameters: int
    flops_per_molecule: int
    train_seconds: float
    validation_seconds: float
    molecules_per_second: float
    peak_memory_mb: float


class BaselineEntry(Entry):
    """A baseline: a predictor that is not a model, measured on the same molecules as the run.

    `settings` has what each replica has chosen by errors on molecules left out, such as the strength of a penalty; it
    is null for a baseline that chooses nothing.
    """

    name: str
    parameters: int
    replicas: tuple[ReplicaEntry, ...]
    settings: tuple[dict[str, int | float | str], ...] | None = None


class ErrorEntry(Entry):
    """The reason why a run failed: a message for the user, and Python's traceback."""

    message: str
    traceback: str


class DataEntry(Entry):
    """Counts of the data set: usable rows, rejected rows, and the counts of `data.repeats.Repeats`."""

    molecules: int
    rejected: int
    repeats: int
    contradicting: int


class RungEntry(Entry):
    """The place of a run in a ladder of assumptions, and what it assumes beyond the rung called `after`."""

    number: int
    name: str
    adds: str
    after: str | None


class UnseenEntry(Counts):
    """What the molecules of a run carry beyond atoms and bonds, and which part of a molecule its model reads."""

    sight: Sight


class MadeEntry(Entry):
    """How a record was made: time (UTC, ISO 8601), host, command line, and git commit of the current folder.

    `revision` ends with `+` where files differed from the commit; it is None outside of a repository.
    """

    at: str
    host: str
    command: str
    revision: str | None


class PluginEntry(Entry):
    """A plugin that a run was trained with.

    `gives` is the part of the run that comes from the plugin: `model`, `source` or `baselines.NAME`. `place` is a path
    on the machine where the run was trained, or the name of a module; it is for information only, and nothing is loaded
    from there. `digest` identifies the code of the plugin.
    """

    gives: str
    name: str
    place: str
    digest: str


class SplitSizesEntry(Entry):
    """The number of molecules in each part of a split; seeds draw their train subsets from the train pool."""

    train_pool: int
    validation: int
    test: int


class Record(Entry):
    """Everything that is known about one run; `config` holds the options that can change its numbers.

    `rung` is its place in a ladder, if it was trained as one; `worth_at` the train size at which its study is to tell
    what assumptions are worth, if the config names one; `trial` the number of the draw of a random search that
    its options come from, if they do; `plugins` those that it was trained with, if there were any; `made`, `data`,
    `unseen` and `split_sizes` are None in records of older versions. `labelled` has the sizes of the parts without the
    molecules that lack a label, for each target of which some do; it is None if there is no such target. `reading` has
    the options that `config` lacks, since `data_source` has a digest of what they lead to, such as the path of a CSV;
    it is None if all of them have their defaults.
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
    labelled: dict[str, SplitSizesEntry] | None = None
    plugins: tuple[PluginEntry, ...] | None = None
    reading: dict[str, Any] | None = None

    @property
    def is_tested(self) -> bool:
        """Whether the run has test errors, as all have that are done but those with `data.test_size=0`."""
        return any(replica.test for replica in self.replicas)

    @model_validator(mode="after")
    def _require_contents(self) -> Self:
        model, data = self.config.get("model"), self.config.get("data")
        if not isinstance(model, dict) or "name" not in model or not isinstance(data, dict) or "hydrogens" not in data:
            raise ValueError("config lacks model.name or data.hydrogens")
        if self.status == "done" and (self.cost is None or not self.replicas):
            raise ValueError("a run that is done has a cost and replicas")
        return self


def write_record(folder: Path, record: Record) -> None:
    """Write `record.json` into the folder of a run, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps(json.loads(record.model_dump_json()), indent=1, ensure_ascii=False)
    write_atomically(folder / RECORD, text + "\n")


def read_record(path: Path) -> Record:
    """Read one `record.json`.

    Raises:
        BrokenError: the file is not a record that this version can read.
    """
    try:
        return Record.model_validate(read_versioned(path.read_text(), SCHEMA_VERSION))
    except NewerError as error:
        raise BrokenError(path, str(error), "Update this ibbench, or move the folder of the run away") from None
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except (ValueError, RecursionError) as error:
        raise BrokenError(path, explain_unreadable(error)) from None


def read_versioned(text: str, version: int) -> Any:
    """Read JSON that carries a `schema_version`.

    Raises:
        ValueError: the text is not JSON, or of another version than this code reads.
        NewerError: the text is of a newer version; a kind of ValueError.
    """
    content = json.loads(text)
    found = content.get("schema_version") if isinstance(content, dict) else None
    if type(found) is not int or found != version:
        told = f"its schema_version is {found!r} and this ibbench reads {version}"
        if isinstance(found, int) and found > version:
            raise NewerError(f"{told}: written by a newer ibbench, update this one")
        raise ValueError(told)
    return content


def explain_unreadable(error: Exception) -> str:
    """Say in one line why a file could not be read, from the error that its check raised."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{error.error_count()} fields are wrong, such as {where or 'the whole'}: {first['msg']}"
