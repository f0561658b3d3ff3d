"""A survey on disk: one JSON file per measurement, so that a survey goes on where it was interrupted."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.speed.survey.measurement import Measurement

FOLDER = "measurements"
Status = Literal["done", "failed", "too slow"]


class Taken(NamedTuple):
    """A measurement that was taken.

    Attributes:
        name: the name of the measurement.
        kind: what was measured.
        status: `done`; `failed` with an error; or `too slow` for its limit.
        rows: the rows that were measured; none unless it is done.
        seconds: how long it took, in seconds.
        message: why it has no rows.
        device: the device and the version of torch.
        overrides: the options that it was taken with.
    """

    name: str
    kind: str
    status: Status
    rows: list[dict[str, Any]]
    seconds: float
    message: str
    device: str
    overrides: tuple[str, ...]


def read_taken(study: Path, wanted: list[Measurement], device: str) -> dict[str, Taken]:
    """Read those of the wanted measurements that were taken already, with the same options, by their names.

    Args:
        study: the folder of the survey.
        wanted: the measurements.
        device: the device and the version of torch, which must be those of the files.

    Raises:
        InputError: a file cannot be read, or is of another device.
    """
    found = {}
    for measurement in wanted:
        path = study / FOLDER / f"{measurement.name}.json"
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        try:
            facts = json.loads(text)
            taken = Taken(**facts | {"overrides": tuple(facts["overrides"])})
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{path} is damaged: remove it, and it is measured again") from None
        if taken.device != device:
            raise InputError(
                f"{study} has measurements of another device, {taken.device}; this one is {device}: expected another "
                "name=…, or an empty folder"
            )
        if taken.overrides == measurement.overrides:
            found[measurement.name] = taken
    return found


def write_taken(study: Path, taken: Taken) -> None:
    """Write a measurement.

    Raises:
        OSError: it could not be written.
    """
    write_atomically(study / FOLDER / f"{taken.name}.json", json.dumps(taken._asdict(), indent=1) + "\n")
