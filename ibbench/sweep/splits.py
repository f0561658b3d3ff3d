"""The files that say which molecules of a study train, validate and test: one per split, written once."""

from pathlib import Path

import numpy as np

from ibbench.record.split_file import split_path, write_split
from ibbench.run.plan import Point


def write_splits(study: Path, points: list[Point]) -> None:
    """Write the splits of planned runs into the folder of their study. Splits that are there stay as they are.

    Args:
        study: the folder of the study.
        points: the planned runs.

    Raises:
        OSError: a file cannot be written.
    """
    for point in {point.split.fingerprint: point for point in points}.values():
        path = split_path(study, point.split.fingerprint)
        if not path.exists():
            write_split(path, point.dataset.ids.numpy(), point.dataset.smiles, _name_parts(point))


def _name_parts(point: Point) -> np.ndarray:
    """Return the name of the part of each molecule, `[M]`; empty where it is in none."""
    split = point.split
    parts = np.full(len(point.dataset), "", dtype="U10")
    for name, index in (("train", split.train_pool), ("validation", split.validation), ("test", split.test)):
        parts[index.numpy()] = name
    return parts
