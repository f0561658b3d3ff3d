"""Measurements of a bias itself, not of accuracy. A probe is a file of this folder, registered under the file's name.

This module does not import torch, so that probes can be listed, and earlier measurements read, without it.
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

# The weights that a probe looks at: as the seed draws them, as a run has left them, or those of each validation of a
# training that is done again.
Moment = Literal["init", "trained", "along"]
Need = Literal["data", "predictions", "forward", "jacobian"]
BITS = "bits/label"
LEAST_MAE = "least MAE"  # the quantity of the probe `floor`, which pictures of a study show, too
_FIRST = ("floor", "symmetry", "reach", "signal", "kernel")  # first in tables, in the order of what they need


class Finding(NamedTuple):
    """One figure that a probe has measured.

    Attributes:
        quantity: name of the measured quantity, in words.
        part: the part of the model or of the data that was measured, such as a layer; empty for the whole.
        value: the figure.
        unit: unit of the figure; empty for a ratio or a count.
        target: short name of the target; empty if the figure does not depend on labels.
    """

    quantity: str
    part: str
    value: float
    unit: str = ""
    target: str = ""


class Mean(NamedTuple):
    """The mean of a figure over seeds.

    Attributes:
        value: the mean.
        text: the mean as it is written in sentences, with its 95 % interval and unit.
        num_seeds: how many seeds have the figure; 0 if it does not depend on seeds.
    """

    value: float
    text: str
    num_seeds: int = 0


class Probe(ABC):
    """A measurement of one model.

    Attributes:
        summary: one line that says what the probe measures.
        needs: what the measurement requires: the data alone, predictions that a run has left, a model that predicts,
            or the gradient of each prediction.
        moments: the weights at which the measurement makes sense; empty if it does not depend on weights, so that it is
            made once for all seeds.
        headline: the quantity that pictures and sentences show.
        logarithmic: whether the headline spans orders of magnitude, and is drawn on a logarithmic axis.
        correlations: the quantities that lie between -1 and 1, as their intervals then do, too.
        signed: the quantities that may be below 0, such as differences, though they happen to be above it.
        by_default: whether the probe is measured when the user names none; false if it takes long or prints much.
    """

    summary: ClassVar[str]
    needs: ClassVar[Need]
    moments: ClassVar[tuple[Moment, ...]]
    headline: ClassVar[str]
    logarithmic: ClassVar[bool] = False
    correlations: ClassVar[frozenset[str]] = frozenset()
    signed: ClassVar[frozenset[str]] = frozenset()
    by_default: ClassVar[bool] = True

    @abstractmethod
    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure one model with the weights of one seed.

        Args:
            subject: the model, with its weights, molecules and labels.

        Yields:
            The figures, in the order of tables.
        """

    def headline_at(self, at: str) -> str:  # noqa: ARG002 (a probe may have another one along a training)
        """Return the quantity that pictures show of the weights `at`."""
        return self.headline

    @abstractmethod
    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence, without its full stop, on what was found; an empty text if there is nothing worth saying.

        Args:
            who: the beginning of the sentence: the name of the model, and of the target if labels matter.
            part: the part that was measured, see `Finding`.
            figures: the means over seeds of this part, by quantity.
        """


class PairProbe(Probe):
    """A comparison of two models on the same target, train size, seed and test molecules."""

    def measure(self, subject: Subject) -> Iterator[Finding]:  # noqa: ARG002 (there is no second model)
        """Yield no figure: a single model cannot be compared."""
        yield from ()

    @abstractmethod
    def compare(self, one: Side, other: Side) -> Iterator[Finding]:
        """Compare two models.

        Args:
            one: predictions and states of the first model.
            other: those of the second model.

        Yields:
            Figures with an empty part, which the caller replaces by `with` and the name of the second model.
        """


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
    """Return a decorator that registers a subclass of `Probe` under `name`.

    Raises:
        InputError: the name is taken, or cannot be typed, or the class is incomplete.
    """

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
