"""Where a run and its study lie on disk, and whether a run is finished."""

import contextlib
from pathlib import Path
from typing import Any

from ibbench.options.config import Config
from ibbench.record.schema import Record, RungEntry, read_record, write_record


def study_folder(config: Config) -> Path:
    """Return the folder of the study that a config belongs to."""
    return Path(config.results_dir) / config.name


def read_finished(folder: Path, config: Config | None = None) -> Record | None:
    """Return the record in the folder of a run if it is there and not of a failure.

    A run that was trained for itself and is now asked for as a rung of a ladder, or as a trial of a search, gets
    their names: they change no number.

    Raises:
        InputError: there is one, but it cannot be read.
    """
    path = folder / "record.json"
    record = read_record(path) if path.exists() else None
    if record is None or record.status != "done":
        return None
    names = name_in_study(config) if config else {}
    if any(getattr(record, field) != name for field, name in names.items()):
        record = record.model_copy(update=names)
        write_record(folder, record)
    return record


def record_age(folder: Path) -> int:
    """Return when the record of a run was written, only to tell it from another; 0 if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "record.json").stat().st_mtime_ns
    return 0


def name_in_study(config: Config) -> dict[str, Any]:
    """Return the fields of a record that say what the run is in its study: its rung and its trial, if it has them."""
    names: dict[str, Any] = {}
    if config.rung:
        names["rung"] = RungEntry(**config.rung.model_dump())
    if config.tuning:
        names["trial"] = config.tuning.trial
    return names
