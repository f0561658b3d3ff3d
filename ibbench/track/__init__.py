"""Trackers: TensorBoard, MLflow and W&B, which show runs in a web page. They run in another process (`README.md`).

There is one file per tracker. Neither this module nor the top of these files imports the packages of trackers.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ibbench.errors import needs_extra
from ibbench.options.words import Tracker
from ibbench.track.content import Card, Outcome, Point

# The packages that each tracker needs, by the names under which Python imports them.
_NEEDS = {
    Tracker.TENSORBOARD: ("tensorboard",),
    Tracker.MLFLOW: ("mlflow", "sqlalchemy"),
    Tracker.WANDB: ("wandb",),
}


class Journal(ABC):
    """The entry of one run in a tracker. Methods may raise any exception of the tracker's package.

    If the run is in the tracker already, perhaps by another process, the journal continues or replaces that entry, so
    that no point is there twice.

    Attributes:
        where: the place where the user can see the run, in words.
    """

    where: str

    @abstractmethod
    def write(self, points: Sequence[Point]) -> None:
        """Write points of curves."""

    @abstractmethod
    def end(self, outcome: Outcome) -> None:
        """Write the outcome of the run, and close the journal."""


class Keeper(ABC):
    """A tracker, which keeps journals of runs.

    Args:
        place: the folder, file or address where the tracker keeps journals; None for its own settings.
    """

    def __init__(self, place: str | None) -> None:
        self.place = place

    @abstractmethod
    def begin(self, card: Card) -> Journal:
        """Begin the journal of a run, or go on with the one that the tracker has."""


def get_keeper(name: Tracker, place: str | None = None) -> Keeper:
    """Import the packages of a tracker, and return it.

    Args:
        name: the tracker.
        place: the folder, file or address where it keeps journals; None for its own settings.

    Raises:
        ImportError: a package of the tracker is not installed.
    """
    keeper: type[Keeper] = importlib.import_module(f"ibbench.track.{name.value}").KEEPER
    return keeper(place)


def check_installed(names: Iterable[Tracker]) -> None:
    """Check that the packages of some trackers are installed; nothing is imported.

    Raises:
        InputError: a package is not installed; the message says how to install it.
    """
    for name in names:
        if any(importlib.util.find_spec(package) is None for package in _NEEDS[name]):
            raise needs_extra(f"`{name.value}`, which is to show the runs,", name.value)
