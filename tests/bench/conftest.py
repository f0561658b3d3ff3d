"""The figures of `make bench`, in one file of the same columns on every machine, so that two can be compared."""

import csv
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ibbench.training.device import describe_device

FIGURES = Path(__file__).parents[2] / "build" / "bench.csv"
COLUMNS = ("figure", "value", "unit", "device", "python", "torch")
Tell = Callable[[str, float, str], None]


@pytest.fixture(scope="session")
def tell() -> Iterator[Tell]:
    """Note a figure by its name, with its unit; all of a session stand in build/bench.csv when it ends."""
    made_with = (describe_device(torch.device("cpu")), platform.python_version(), torch.__version__)
    rows: list[tuple[object, ...]] = []

    def note(figure: str, value: float, unit: str) -> None:
        rows.append((figure, f"{value:.4g}", unit, *made_with))
        print(f"{figure}: {value:.4g} {unit}")  # noqa: T201 (a benchmark tells its figures)

    yield note
    FIGURES.parent.mkdir(exist_ok=True)
    with FIGURES.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([COLUMNS, *rows])
