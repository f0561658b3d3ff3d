"""Which run a config is, remembered from when it was last worked out.

To name a run takes the data set, its split and torch: seconds, for a command that then finds all of its runs done. A
config whose name was worked out before, with the same code and data, has the same name again.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import ibbench
from ibbench.compare.record import SCHEMA_VERSION, Record, RungEntry, read_record, write_record
from ibbench.config import Config
from ibbench.data.cache import cache_folder, write_to_cache
from ibbench.data.identity import CACHE_FORMAT, describe_source
from ibbench.errors import InputError


def study_folder(config: Config) -> Path:
    """Return the folder of the study that a config belongs to."""
    return Path(config.results_dir) / config.name


def remember(config: Config, run: str) -> None:
    """Note the name of the run that a config stands for, where the cache can be written to."""
    with contextlib.suppress(InputError):
        write_to_cache(_note(config), run.encode())


def recall_finished(config: Config) -> Record | None:
    """Return the record of the run that a config stands for, if its name is known and it is done.

    Raises:
        InputError: there is such a record, but it cannot be read.
    """
    note = _note(config)
    if (
        config.rerun or config.device not in {"auto", "cpu"} or not note.exists()
    ):  # another device may be absent, which is an error
        return None
    return read_finished(study_folder(config) / "runs" / note.read_text(), config)


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


def _note(config: Config) -> Path:
    source, _, made_with = describe_source(config.data)
    facts = [config.numerics(), source, made_with, CACHE_FORMAT, SCHEMA_VERSION, ibbench.__version__]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "runs" / digest[:32]
