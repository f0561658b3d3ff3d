"""A study on disk: where its files lie, and the records of its runs, each read and checked once."""

import contextlib
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.checksum import checksum, read_checksums
from ibbench.record.evidence import Evidence
from ibbench.record.schema import RECORD, BrokenError, Record, RungEntry, read_record, write_record

# In the folder of a study.
RUNS, MATCHED = "runs", "matched"
TABLE, TABLE_TEXT, PAIRS, PROVENANCE = "table.csv", "table.md", "pairs.csv", "study.json"
EVIDENCE = "evidence.zip"
TENSORBOARD = "tensorboard"  # what `log=[tensorboard]` writes, a folder for each run
PROBES = "probes.csv"
# In the folder of a run.
HISTORY, PREDICTIONS, WEIGHTS = "history.csv", "predictions.npz", "weights.safetensors"  # and RECORD
DOMAIN = "domain.safetensors"  # what its train molecules were like
LOCK, START_ERROR, CHECKPOINTS = "lock", "start_error.json", "checkpoint-*.safetensors"


class RunIdentity(NamedTuple):
    """What tells a run from others: name, config as recorded, source of the data, fingerprint of the split."""

    run: str
    config: dict[str, Any]
    source: str
    split: str


class StudyFolder:
    """The folder of a study. `StudyFolder.at` returns the one object of a folder, which remembers what it has read.

    A record is read again only when its file has changed: one command asks for the same records many times.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, tuple[tuple[int, ...], Record]] = {}
        self._evidence: tuple[tuple[int, ...], Evidence] | None = None

    @staticmethod
    def at(path: Path) -> "StudyFolder":
        """Return the object that stands for a folder in this process."""
        return _at(path, path.absolute())

    @property
    def runs(self) -> Path:
        """The folder that holds a folder for each run."""
        return self.path / RUNS

    def run_names(self, prefix: str = "") -> list[str]:
        """List the runs that have left a record, in the order of their names.

        Args:
            prefix: beginning of the names, such as `gnn-`.
        """
        return sorted(path.parent.name for path in self.runs.glob(f"{prefix}*/{RECORD}"))

    def record(self, run: str) -> Record | None:
        """Return the record of a run; None if it has left none.

        Raises:
            BrokenError: there is one, but it cannot be read, or is that of another run.
        """
        path = self.runs / run / RECORD
        sign = _sign(path)
        if not sign:
            return None
        known = self._records.get(run)
        if known is None or known[0] != sign:
            known = self._records[run] = sign, read_record(path)
        if known[1].run != run:
            raise BrokenError(path, f"it is the record of {known[1].run}: a copy, or renamed", "Move its folder away")
        return known[1]

    def finished(self, run: str) -> Record | None:
        """Return the record of a run that is done; None if it has failed, or has left no record or a damaged one.

        Raises:
            BrokenError: there is a record that cannot be read, and it is not lost: as one of a newer version.
        """
        try:
            record = self.record(run)
        except BrokenError as broken:
            if broken.is_lost:
                return None
            raise
        return record if record and record.status == "done" else None

    @property
    def evidence(self) -> Evidence | None:
        """What was packed of the runs of this study, here or on another machine; None if nothing was.

        Raises:
            InputError: it cannot be read, or belongs to other tables than those beside it.
        """
        path, made = self.path / EVIDENCE, self.path / PROVENANCE
        sign = _sign(path)
        if not sign:
            return None
        if self._evidence is None or self._evidence[0] != sign:
            content, known = self._read_evidence()
            if known is not None and checksum(content) not in known:
                raise InputError(
                    f"{path} is not the evidence of the tables beside it, as {made} knows it: restore both together"
                )
            self._evidence = sign, Evidence(content, str(path))
        return self._evidence[1]

    def _read_evidence(self) -> tuple[bytes, list[str] | None]:
        """Return the evidence, and the checksums that study.json has for it, from between two writes of the tables."""
        path, made = self.path / EVIDENCE, self.path / PROVENANCE
        while True:
            signs = _sign(path), _sign(made)
            content = path.read_bytes()
            known = read_checksums(made.read_text()).get(EVIDENCE, "").split() if signs[1] else None
            if signs == (_sign(path), _sign(made)):
                return content, known

    def foreign_records(self) -> list[Record]:
        """Return the records that only the evidence has, of runs that no command was to train here: a fresh clone's.

        A run that was to be trained here, and has left no record or was deleted, is not among them.

        Raises:
            InputError: the evidence cannot be read, or belongs to other tables than those beside it.
        """
        from ibbench.record.agenda import read_agenda  # which needs this file

        if not self.evidence:
            return []
        return self.evidence.records(without={*self.run_names(), *read_agenda(self.path)})

    def has_records(self) -> bool:
        """Whether there are records, in the folders of runs or as evidence."""
        return bool(self.run_names()) or (self.path / EVIDENCE).exists()

    def records(self) -> list[Record]:
        """Return the records of all runs, in the order of their names, with those that only the evidence has.

        Raises:
            InputError: there are none; or one of them cannot be read, is a copy, or is of the same config as another.
        """
        records, broken = self.readable_records()
        if broken:
            raise broken[0]
        return records

    def readable_records(self) -> tuple[list[Record], list[BrokenError]]:
        """Return the records that can be read, in the order of their names, and what is wrong with the others.

        Raises:
            InputError: there are no records, or two of them are of the same config.
        """
        names, foreign = self.run_names(), self.foreign_records()
        if not (names or foreign):
            raise InputError(
                f"{self.path} holds no records: expected a study, with {self.path}/runs/<model>-<hash>/record.json "
                f"or {self.path}/{EVIDENCE}"
            )
        records: list[Record] = []
        broken: list[BrokenError] = []
        for name in names:
            try:
                records += [record] if (record := self.record(name)) else []
            except BrokenError as error:
                broken.append(error)
        self._refuse_same_configs(records)
        here = {_identity_of(record) for record in records if record.status == "done"}
        records += [record for record in foreign if _identity_of(record) not in here]
        return sorted(records, key=lambda record: record.run), broken

    def refuse_doubles(self, planned: Iterable[RunIdentity]) -> None:
        """Check that the study holds no other run of the same config, before runs are trained beside it.

        Only the records of the models that are planned are read. One that cannot be read is left out.

        Raises:
            InputError: it does, made by another version of the code or the data.
        """
        planned = list(planned)
        done: dict[str, list[str]] = {}
        for model in sorted({one.run.partition("-")[0] for one in planned}):
            for name in self.run_names(f"{model}-"):
                with contextlib.suppress(BrokenError):
                    if record := self.finished(name):
                        done.setdefault(_identity_of(record), []).append(name)
        for one in planned:
            for name in done.get(_identity(one.config, one.source, one.split), []):
                if name != one.run:
                    raise InputError(
                        f"{self.runs / name} is a run of the same config, by another version of the code or the data: "
                        "move it away, or choose another name for the study"
                    )

    def _refuse_same_configs(self, records: list[Record]) -> None:
        """Refuse two runs of one config on the same data: whose figures to take, nobody could tell."""
        found: dict[str, str] = {}
        for record in records:
            if record.status != "done":
                continue
            other = found.setdefault(_identity_of(record), record.run)
            if other != record.run:
                raise InputError(
                    f"{self.runs / other} and {self.runs / record.run} are runs of the same config, by different "
                    "versions of the code or the data: move one of them away"
                )


def _sign(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written anew; nothing if there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


@functools.cache
def _at(path: Path, absolute: Path) -> StudyFolder:  # noqa: ARG001 (a relative path means another folder elsewhere)
    return StudyFolder(path)


def _identity_of(record: Record) -> str:
    return _identity(record.config, record.data_source, record.split_fingerprint)


def _identity(config: dict[str, Any], source: str, split: str) -> str:
    return json.dumps([config, source, split], sort_keys=True)


def study_folder(config: Config) -> Path:
    """Return the folder of the study that a config belongs to."""
    return Path(config.results_dir) / config.name


def read_records(study: Path | str) -> list[Record]:
    """Return the records of all runs of a study, in the order of their names.

    Args:
        study: the folder of the study.

    Raises:
        InputError: there are none; or one of them cannot be read, is a copy, or is of the same config as another.
    """
    return StudyFolder.at(Path(study)).records()


def read_finished(folder: Path) -> Record | None:
    """Return the record in the folder of a run if the run is done. Nothing is written.

    Raises:
        BrokenError: see `StudyFolder.finished`.
    """
    return StudyFolder.at(folder.parents[1]).finished(folder.name)


def record_age(folder: Path) -> int:
    """Return when the record of a run was written, only to tell it from another; 0 if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / RECORD).stat().st_mtime_ns
    return 0


def adopt_names(folder: Path, config: Config) -> None:
    """Give a finished run the names that a config has for it, and write its record if they are new.

    A run that was trained for itself can be asked for later as a rung of a ladder. This changes no number.

    Raises:
        InputError: the record cannot be read.
    """
    record, names = read_finished(folder), name_in_study(config)
    if record and any(getattr(record, field) != name for field, name in names.items()):
        write_record(folder, record.model_copy(update=names))


def name_in_study(config: Config) -> dict[str, Any]:
    """Return the fields of a record that say what the run is in its study: its rung, and where its worth is told."""
    names: dict[str, Any] = {}
    if config.rung:
        names["rung"] = RungEntry(**config.rung.model_dump())
    if config.worth_at:
        names["worth_at"] = config.worth_at
    return names
