"""Regressions from vectors to targets, each tuned on its train molecules alone.

A regressor is a file of this folder with a class `Regressor` in it. Neither this module nor the top of such a file
imports torch or scikit-learn: the names are needed where nothing is computed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from numpy.typing import NDArray

Settings = dict[str, Any]  # numbers and words that are chosen before a fit, by name, such as the penalty
TRIALS = 8  # settings that each regressor tries; a closed form may choose the strength of a penalty within each of them
TUNED_ON = 2000  # most train molecules that settings are tried on; the chosen ones are then fitted to all


class Fitted(NamedTuple):
    """A regression that is fitted to the labels of one target.

    Attributes:
        predict: a function from vectors, `[n, p]`, to values, float64 `[n]`.
        num_parameters: the number of parameters that the fit has chosen.
    """

    predict: Callable[[NDArray[Any]], NDArray[Any]]
    num_parameters: int


class RegressorBase(ABC):
    """A kind of regression.

    Attributes:
        most_labels: the largest number of train molecules that it can be fitted to; None for any number.
    """

    most_labels: ClassVar[int | None] = None

    @abstractmethod
    def choose(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Settings]:
        """Choose the settings for each of T targets, by the errors on train molecules that are left out of a fit.

        Args:
            vectors: vectors of m train molecules in random order, `[m, p]`, uint8 if they are counts.
            labels: their labels, float64 `[m, T]`.
        """

    @abstractmethod
    def fit(self, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings]) -> list[Fitted]:
        """Fit with given settings, for each of T targets; the same arguments always give the same predictions.

        Args:
            vectors: vectors of m train molecules, as for `choose`.
            labels: their labels, float64 `[m, T]`.
            settings: what `choose` has returned.
        """


@functools.cache
def regressor_names() -> tuple[str, ...]:
    """List the regressors, which are the files of this folder, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def get_regressor(name: str) -> type[RegressorBase]:
    """Return the class in the file of this name, one of `regressor_names`."""
    module = importlib.import_module(f"ibbench.baselines.regressors.{name}")
    found: type[RegressorBase] = module.Regressor
    return found
