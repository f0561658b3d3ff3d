"""Trackers: what shows runs beside those of other programs. One file each, in a process of their own (`README.md`).

Neither this module nor the top of such a file imports what a tracker needs.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ibbench.errors import needs_extra
from ibbench.options.words import Tracker
from ibbench.track.content import Card, Outcome, Point

# What has to be installed for each, by the names that Python imports.
_NEEDS = {
    Tracker.TENSORBOARD: ("tensorboard",),
    Tracker.MLFLOW: ("mlflow", "sqlalchemy"),
    Tracker.WANDB: ("wandb",),
}


class Journal(ABC):
    """What a tracker writes of one run, from its begin on. Every method may raise whatever goes wrong there.

    A run that was begun before, here or in another process, has the same journal again: no point is there twice.

    Attributes:
        where: where the run can be seen, for the user.
    """

    where: str

    @abstractmethod
    def write(self, points: Sequence[Point]) -> None:
        """Write points of curves."""

    @abstractmethod
    def end(self, outcome: Outcome) -> None:
        """Write what the run came to, and close the journal."""


class Keeper(ABC):
    """A tracker, ready to keep journals of runs.

    Args:
        place: where it keeps them, as the user has said; None for its own settings.
    """

    def __init__(self, place: str | None) -> None:
        self.place = place

    @abstractmethod
    def begin(self, card: Card) -> Journal:
        """Begin the journal of a run, or go on with it."""


def get_keeper(name: Tracker, place: str | None = None) -> Keeper:
    """Return a tracker; what it needs is imported.

    Args:
        name: which.
        place: see `Keeper`.

    Raises:
        ImportError: it is not installed.
    """
    keeper: type[Keeper] = importlib.import_module(f"ibbench.track.{name.value}").KEEPER
    return keeper(place)


def check_installed(names: Iterable[Tracker]) -> None:
    """Refuse trackers that are not installed.

    Raises:
        InputError: one is not; the message says how to install it.
    """
    for name in names:
        if any(importlib.util.find_spec(package) is None for package in _NEEDS[name]):
            raise needs_extra(f"`{name.value}`, which is to show the runs,", name.value)
