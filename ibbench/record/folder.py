"""A study on disk: the names of its files, and the records of its runs, each read and checked once."""

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

# Files and folders in the folder of a study.
RUNS, MATCHED = "runs", "matched"
TABLE, TABLE_TEXT, PAIRS, PROVENANCE = "table.csv", "table.md", "pairs.csv", "study.json"
EVIDENCE = "evidence.zip"
SPLIT = "split-{}.csv"  # which molecules train, validate and test, by the fingerprint of the split
TENSORBOARD = "tensorboard"  # written by `log=[tensorboard]`, one folder per run
PROBES = "probes.csv"
# Files in the folder of a run.
HISTORY, PREDICTIONS, WEIGHTS = "history.csv", "predictions.npz", "weights.safetensors"  # the record is schema.RECORD
BASELINES = "baselines.safetensors"  # train molecules as pairs such as morgan+ridge see them, to predict with these
DOMAIN = "domain.safetensors"  # elements, sizes and charges of its train molecules
LOCK, START_ERROR, CHECKPOINTS = "lock", "start_error.json", "checkpoint-*.safetensors"


class RunIdentity(NamedTuple):
    """What identifies a run: its name, config as recorded, data source, and fingerprint of the split."""

    run: str
    config: dict[str, Any]
    source: str
    split: str


class StudyFolder:
    """The folder of a study, with the records that were read from it.

    `StudyFolder.at` returns the same object each time for a folder. A record is read again only when its file has
    changed, since one command asks for the same records many times.

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
        """List the names of the runs that have a record, in alphabetical order.

        Args:
            prefix: beginning of the names, such as `gnn-`.
        """
        return sorted(path.parent.name for path in self.runs.glob(f"{prefix}*/{RECORD}"))

    def record(self, run: str) -> Record | None:
        """Return the record of a run; None if it has none.

        Raises:
            BrokenError: the record cannot be read, or belongs to another run.
        """
        path = self.runs / run / RECORD
        stamp = _stamp_of(path)
        if not stamp:
            return None
        known = self._records.get(run)
        if known is None or known[0] != stamp:
            known = self._records[run] = stamp, read_record(path)
        if known[1].run != run:
            raise BrokenError(path, f"it is the record of {known[1].run}: a copy, or renamed", "Move its folder away")
        return known[1]

    def finished(self, run: str) -> Record | None:
        """Return the record of a run that is done; None if it failed, has no record, or has a damaged one.

        Raises:
            BrokenError: the record cannot be read but is not damaged, such as one of a newer version.
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
        """The evidence file of the study, made on this or another machine; None if there is none.

        Raises:
            InputError: the evidence cannot be read, or belongs to other tables than those beside it.
        """
        path, made = self.path / EVIDENCE, self.path / PROVENANCE
        stamp = _stamp_of(path)
        if not stamp:
            return None
        if self._evidence is None or self._evidence[0] != stamp:
            content, known = self._read_evidence()
            if known is not None and checksum(content) not in known:
                raise InputError(
                    f"{path} is not the evidence of the tables beside it, as {made} knows it: restore both together"
                )
            self._evidence = stamp, Evidence(content, str(path))
        return self._evidence[1]

    def _read_evidence(self) -> tuple[bytes, list[str] | None]:
        """Return the content of the evidence, and the checksums that study.json has for it (None without study.json).

        Both files are read again if one of them has changed meanwhile, so that they belong together.
        """
        path, made = self.path / EVIDENCE, self.path / PROVENANCE
        while True:
            stamps = _stamp_of(path), _stamp_of(made)
            content = path.read_bytes()
            known = read_checksums(made.read_text()).get(EVIDENCE, "").split() if stamps[1] else None
            if stamps == (_stamp_of(path), _stamp_of(made)):
                return content, known

    def foreign_records(self) -> list[Record]:
        """Return the records of runs that are in the evidence only, such as all runs in a fresh clone.

        Runs that a command has planned in this folder are left out, also where they failed or were deleted.

        Raises:
            InputError: the evidence cannot be read, or belongs to other tables than those beside it.
        """
        from ibbench.record.agenda import read_agenda  # here, since that module imports this one

        if not self.evidence:
            return []
        return self.evidence.records(without={*self.run_names(), *read_agenda(self.path)})

    def has_records(self) -> bool:
        """Whether the study has records, in the folders of its runs or in its evidence."""
        return bool(self.run_names()) or (self.path / EVIDENCE).exists()

    def records(self) -> list[Record]:
        """Return the records of all runs, also of those that are in the evidence only, in the order of their names.

        Raises:
            InputError: there are no records, one of them cannot be read or is a copy, or two have the same config.
        """
        records, broken = self.readable_records()
        if broken:
            raise broken[0]
        return records

    def readable_records(self) -> tuple[list[Record], list[BrokenError]]:
        """Return the records that can be read, in the order of their names, and an error for each of the others.

        Raises:
            InputError: there are no records, or two of them have the same config.
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
        done = {_identity_of(record) for record in records if record.status == "done"}
        records += [record for record in foreign if _identity_of(record) not in done]
        return sorted(records, key=lambda record: record.run), broken

    def refuse_doubles(self, planned: Iterable[RunIdentity]) -> None:
        """Check, before runs are trained, that the study has no run of the same config under another name.

        Only records of the planned models are read; records that cannot be read are skipped.

        Args:
            planned: the runs that are to be trained.

        Raises:
            InputError: there is such a run, made by another version of the code or the data.
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
        """Refuse two runs of the same config on the same data: it would not be clear which one a table shows."""
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


def _stamp_of(path: Path) -> tuple[int, ...]:
    """Return time, size and inode of a file, which change when the file is written anew; empty if there is no file."""
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
        InputError: there are no records, one of them cannot be read or is a copy, or two have the same config.
    """
    return StudyFolder.at(Path(study)).records()


def read_finished(folder: Path) -> Record | None:
    """Return the record in the folder of a run; None if the run is not done. Nothing is written.

    Raises:
        BrokenError: see `StudyFolder.finished`.
    """
    return StudyFolder.at(folder.parents[1]).finished(folder.name)


def record_age(folder: Path) -> int:
    """Return when the record of a run was written, in nanoseconds, to notice a new record; 0 if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / RECORD).stat().st_mtime_ns
    return 0


def adopt_names(folder: Path, config: Config) -> None:
    """Note in the record of a finished run what the run is in its study, as the config says (see `name_in_study`).

    A run that was trained before can be asked for again as a rung of a ladder. This changes no number.

    Raises:
        InputError: the record cannot be read.
    """
    record, names = read_finished(folder), name_in_study(config)
    if record and any(getattr(record, field) != name for field, name in names.items()):
        write_record(folder, record.model_copy(update=names))


def name_in_study(config: Config) -> dict[str, Any]:
    """Return the fields of a record that say what the run is in its study: its rung, and where worth is reported."""
    names: dict[str, Any] = {}
    if config.rung:
        names["rung"] = RungEntry(**config.rung.model_dump())
    if config.worth_at:
        names["worth_at"] = config.worth_at
    return names
