"""Regressions from vectors to targets, each tuned on its train molecules alone.

A regressor is a file of this folder with a class `Regressor` in it. Neither this module nor the top of such a file
imports torch or scikit-learn: the names are needed where nothing is computed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from numpy.typing import NDArray

TRIALS = 8  # settings that each regressor tries; a closed form may choose the strength of a penalty within each of them
TUNED_ON = 2000  # most train molecules that settings are tried on; the chosen ones are then fitted to all


class Fitted(NamedTuple):
    """A regression that is fitted to the labels of one target.

    Attributes:
        predict: a function from vectors, `[n, p]`, to values, float64 `[n]`.
        num_parameters: the number of parameters that the fit has chosen.
        settings: what was chosen by the errors on molecules left out, by name, such as the strength of a penalty.
    """

    predict: Callable[[NDArray[Any]], NDArray[Any]]
    num_parameters: int
    settings: dict[str, float | str]


class RegressorBase(ABC):
    """A kind of regression.

    Attributes:
        most_labels: the largest number of train molecules that it can be fitted to; None for any number.
    """

    most_labels: ClassVar[int | None] = None

    @abstractmethod
    def fit(self, vectors: NDArray[Any], labels: NDArray[Any]) -> list[Fitted]:
        """Choose the settings and fit, for each of T targets.

        Args:
            vectors: vectors of m train molecules in random order, `[m, p]`, uint8 if they are counts.
            labels: their labels, float64 `[m, T]`.
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
