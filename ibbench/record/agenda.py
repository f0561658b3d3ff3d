"""What a command has set out to run, written before the first run starts: so it can be told what is missing."""

import contextlib
import hashlib
import json
import traceback
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ibbench.files import write_atomically
from ibbench.options.config import Config
from ibbench.record.folder import RUNS, START_ERROR, study_folder
from ibbench.record.schema import ErrorEntry


class Planned(BaseModel):
    """One run that is to be done.

    Attributes:
        run: its name.
        point: the overrides that tell it from the others of its command.
        key: of its config, so that a machine that cannot work out the name of the run finds it.
        steps: of the training, or of the last stage where each seed tunes.
        stages: how many there are, 1 where seeds do not tune.
        molecule_steps: how often any molecule is trained on, in all stages and replicas.
        flops: of the whole training.
        targets: those that it predicts; None where an older version has not noted them.
        train_size: the number of train molecules; likewise.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str
    point: str
    key: str
    steps: int | None = None  # older versions noted epochs
    stages: int = 1
    molecule_steps: int
    flops: float
    targets: tuple[str, ...] | None = None
    train_size: int | None = None


_AGENDA = TypeAdapter(list[Planned])


def config_key(config: Config) -> str:
    """Name a config with all of its options."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def write_agenda(study: Path, planned: list[Planned]) -> None:
    """Note what a command is to run; the same command notes the same again, other commands something beside it."""
    content = _AGENDA.dump_json(planned)
    write_atomically(study / RUNS / f"agenda-{hashlib.sha256(content).hexdigest()[:10]}.json", content)


def read_agenda(study: Path) -> dict[str, Planned]:
    """Read what all commands so far were to run in a study, by the name of the run."""
    found: dict[str, Planned] = {}
    for path in sorted(study.glob(f"{RUNS}/agenda-*.json"), key=lambda path: path.stat().st_mtime_ns):
        with contextlib.suppress(OSError, ValidationError):  # of another version: its runs are known by their records
            found |= {planned.run: planned for planned in _AGENDA.validate_json(path.read_bytes())}
    return found


def swept_part(points: Iterable[list[str]]) -> list[str]:
    """Return for each point of a sweep the overrides that not all of them have."""
    points = list(points)
    common = set(points[0]).intersection(*points[1:]) if len(points) > 1 else set()
    return [" ".join(override for override in point if override not in common) for point in points]


def note_start_error(config: Config, error: Exception) -> None:
    """Leave the reason why a run could not be planned where it was to run, such as a node without the data.

    Must be called while the error is handled.
    """
    study, key = study_folder(config), config_key(config)
    for planned in read_agenda(study).values():
        if planned.key == key:
            entry = ErrorEntry(message=str(error) or type(error).__name__, traceback=traceback.format_exc())
            with contextlib.suppress(OSError):
                write_atomically(study / RUNS / planned.run / START_ERROR, entry.model_dump_json())


def read_start_error(folder: Path) -> str:
    """Return why the run of a folder could not be planned; empty if it could."""
    try:
        return str(json.loads((folder / START_ERROR).read_bytes())["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
