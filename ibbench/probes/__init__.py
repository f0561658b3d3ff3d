"""Measurements of a bias itself, not of accuracy. A probe is a file of this folder, registered under the file's name.

This module imports no torch: to list the probes, or to read what was measured, takes none.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeVar

from ibbench.errors import InputError, suggest
from ibbench.plugins.load import load_installed, plugin_names
from ibbench.plugins.registry import enter

if TYPE_CHECKING:
    from ibbench.probes.subject.pairs import Side
    from ibbench.probes.subject.subject import Subject

# Weights at which a probe looks: as the seed draws them, as a run has left them, or all along a training done again.
Moment = Literal["init", "trained", "along"]
Need = Literal["data", "predictions", "forward", "jacobian"]
BITS = "bits/label"
LEAST_MAE = "least MAE"  # the quantity of `floor` that pictures of a study show, too
_FIRST = ("floor", "symmetry", "reach", "signal", "kernel")  # in tables, what needs least first


class Finding(NamedTuple):
    """One figure.

    Attributes:
        quantity: what it measures, in words.
        part: what of the model, or of the data, it was measured on; empty where that is all there is to measure.
        value: the figure.
        unit: its unit; empty for a ratio or a count.
        target: that it belongs to; empty where no label has a part in it.
    """

    quantity: str
    part: str
    value: float
    unit: str = ""
    target: str = ""


class Mean(NamedTuple):
    """The mean of a figure over seeds, and the same in words: with its interval and unit."""

    value: float
    text: str


class Probe(ABC):
    """A measurement of one model.

    Attributes:
        summary: what it measures, in one line.
        needs: what it takes: the data alone, predictions that a run has left, a model that predicts, or the gradient of
            each prediction.
        moments: the weights at which it makes sense; empty where weights have no part in it, so that it is measured
            once for all seeds.
        headline: the quantity that is drawn and told.
        logarithmic: whether that spans orders of magnitude.
        correlations: quantities that lie between -1 and 1, and so do their intervals.
        by_default: whether it is measured where no probe is named; false for what takes long, or many lines.
    """

    summary: ClassVar[str]
    needs: ClassVar[Need]
    moments: ClassVar[tuple[Moment, ...]]
    headline: ClassVar[str]
    logarithmic: ClassVar[bool] = False
    correlations: ClassVar[frozenset[str]] = frozenset()
    by_default: ClassVar[bool] = True

    @abstractmethod
    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure one model with the weights of one seed."""

    @abstractmethod
    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Say in a sentence, without its full stop, what was found; nothing where that is not worth one.

        Args:
            who: what is measured, and of which target.
            part: see `Finding`.
            figures: each quantity.
        """


class PairProbe(Probe):
    """A measurement of two models beside each other, on the same target, train size, seed and test molecules."""

    def measure(self, subject: Subject) -> Iterator[Finding]:  # noqa: ARG002 (there is no second model)
        """Measure nothing: one model has none beside it."""
        yield from ()

    @abstractmethod
    def compare(self, one: Side, other: Side) -> Iterator[Finding]:
        """Measure two models; the part of each finding is left empty, and becomes `with` the name of the other."""


P = TypeVar("P", bound=type[Probe])
_PROBES: dict[str, type[Probe]] = {}


def probe_names() -> tuple[str, ...]:
    """List the probes in the order of tables: those of this folder, and then those of plugins."""
    return (*built_in_probes(), *plugin_names("probe"))


def built_in_probes() -> tuple[str, ...]:
    """List the probes that are files of this folder, in the order of tables."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg}
    return (*_FIRST, *sorted(found - set(_FIRST)))


def register(name: str) -> Callable[[P], P]:
    """Register a class under `name`; a second class under the same name is an error."""

    def add(probe: P) -> P:
        enter("probe", name, probe, _PROBES, built_in_probes)
        return probe

    return add


def get_probe(name: str) -> type[Probe]:
    """Return the class registered under `name`.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name not in _PROBES:
        if name in built_in_probes():
            importlib.import_module(f"ibbench.probes.{name}")
        elif not load_installed("probe", name):
            raise InputError(f"`--probe {name}` is not a probe: {suggest(name, probe_names())}")
    return _PROBES[name]
