"""The runs that a command plans, written to disk before the first one starts: missing runs can then be named."""

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
    """One run that a command plans.

    Attributes:
        run: name of the run.
        point: overrides that tell the run from the others of its command.
        key: key of its config (`config_key`), by which a machine finds the run if it cannot work out the run's name.
        steps: number of training steps; of the last stage where each seed tunes. None if an older version wrote the
            agenda.
        stages: number of stages of the search; 1 where seeds do not tune.
        molecule_steps: number of times that any molecule is trained on, over all stages and replicas.
        flops: floating-point operations of the whole training.
        targets: short names of the targets that it predicts; None if an older version wrote the agenda.
        train_size: number of train molecules; None if an older version wrote the agenda.
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
    """Return a key that is the same for configs whose options are all the same: 16 hexadecimal digits."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def write_agenda(study: Path, planned: list[Planned]) -> None:
    """Write the planned runs of a command to a file of their own; the same command writes the same file again.

    Raises:
        OSError: the file cannot be written.
    """
    content = _AGENDA.dump_json(planned)
    write_atomically(study / RUNS / f"agenda-{hashlib.sha256(content).hexdigest()[:10]}.json", content)


def read_agenda(study: Path) -> dict[str, Planned]:
    """Read the runs that all commands so far have planned for a study, by the name of the run.

    An agenda that cannot be read is skipped.
    """
    found: dict[str, Planned] = {}
    for path in sorted(study.glob(f"{RUNS}/agenda-*.json"), key=lambda path: path.stat().st_mtime_ns):
        with contextlib.suppress(OSError, ValidationError):  # of another version: records still name its runs
            found |= {planned.run: planned for planned in _AGENDA.validate_json(path.read_bytes())}
    return found


def swept_part(points: Iterable[list[str]]) -> list[str]:
    """Return for each point of a sweep the overrides that not all points have, with blanks between them."""
    points = list(points)
    common = set(points[0]).intersection(*points[1:]) if len(points) > 1 else set()
    return [" ".join(override for override in point if override not in common) for point in points]


def note_start_error(config: Config, error: Exception) -> None:
    """Write down in the folder of a run why it could not be planned, such as on a node of a cluster without the data.

    Must be called while the error is handled, since its traceback is written, too.
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
