"""Predictors that are not models: what any bias has to beat.

A baseline is a file of this folder whose class is registered under the file's name, and fitted in every run. A pair,
such as `morgan+ridge`, is one of `representations/` with one of `regressors/`, and fitted where the config asks for it;
so is a baseline that restores molecules, of `reconstruction/`, such as `pca_8`.
Neither this module nor the top of such a file imports torch or other packages that a fit needs, because tables only
need the names of the baselines and the options that each ignores.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ibbench.baselines.pairs import get_pair, ignored_by_pair, is_pair, pair_names
from ibbench.baselines.reconstruction import get_reconstruction, is_reconstruction
from ibbench.errors import InputError, suggest
from ibbench.models import built_in_models
from ibbench.plugins.registry import enter

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet

_FIRST = ("mean", "composition")  # the first rows of tables; the one that knows least comes first


class Baseline(ABC):
    """A predictor for one data set, which is fitted anew to each train subset.

    Attributes:
        ignores: the options of the data, such as `data.graph`, that cannot change the baseline's predictions: runs that
            differ in nothing else share its rows. By default, these alter what models are given while they train.
        of_atoms: whether the baseline predicts targets of atoms, `[m, N]`, too.
        reconstructs: for a baseline that restores molecules, the target that stands for them; empty for all others.
        dataset: the molecules and their targets. Where labels are altered (`data.labels`, `data.label_noise`), it is
            replaced before each `fit` by one with the labels that the models are given: a fit takes labels from here.
    """

    ignores: ClassVar[frozenset[str]] = frozenset(
        {"data.graph", "data.augmentation", "data.standardise", "data.centre"}
    )
    reconstructs: ClassVar[str] = ""
    of_atoms: ClassVar[bool] = False

    def __init__(self, dataset: DataSet) -> None:
        self.dataset = dataset

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """The number of parameters that a fit chooses."""

    @abstractmethod
    def fit(self, target: str, subset: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit to the labels of some molecules.

        Args:
            target: the short name of the target to predict.
            subset: the indices of the train molecules, int64 `[m]`.

        Returns:
            A function that predicts molecules of the data set: from their indices, int64 `[n]`, to values in the
            target's unit, float64 `[n]`; of a class (`Target.is_class`) to the probability of class 1; of a target of
            atoms (`Target.output`) to values `[n, N]`. The value of a molecule does not depend on which others are
            asked for.
        """

    def fit_all(self, targets: Sequence[str], subset: Tensor) -> list[Callable[[Tensor], Tensor]]:
        """Fit to the labels of several targets of the same molecules: see `fit`, which is called for each of them."""
        return [self.fit(target, subset) for target in targets]


B = TypeVar("B", bound=type[Baseline])
_BASELINES: dict[str, type[Baseline]] = {}


@functools.cache
def baseline_names() -> tuple[str, ...]:
    """List the baselines that are files of this folder, in the order of tables."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg}
    return (*_FIRST, *sorted(found - set(_FIRST)))


def register(name: str) -> Callable[[B], B]:
    """Register a class under `name`; a second class under the same name is an error."""

    def add(baseline: B) -> B:
        enter("baseline", name, baseline, _BASELINES, lambda: (*baseline_names(), *built_in_models()))
        return baseline

    return add


def get_baseline(name: str) -> type[Baseline]:
    """Return the class registered under `name`.

    Raises:
        InputError: no baseline has this name; the message names the most similar.
    """
    if is_pair(name):
        return get_pair(name)
    if is_reconstruction(name):
        return get_reconstruction(name)
    if name not in _BASELINES:
        if name not in baseline_names():
            raise InputError(f"`{name}` is not a baseline: {suggest(name, [*baseline_names(), *_BASELINES])}")
        importlib.import_module(f"ibbench.baselines.{name}")
    return _BASELINES[name]


def ignored_by(name: str) -> frozenset[str]:
    """Return the options that a recorded baseline ignores; the default ones if it is not known here."""
    if is_pair(name):
        return Baseline.ignores | ignored_by_pair(name)
    return (get_baseline(name) if name in {*baseline_names(), *_BASELINES} else Baseline).ignores


def is_baseline(name: str) -> bool:
    """Whether a name in a table is that of a baseline of ibbench: a file of this folder, or one that is asked for."""
    return name in baseline_names() or is_pair(name) or is_reconstruction(name)


def lacking(asked: Iterable[str], recorded: Collection[str]) -> list[str]:
    """List the baselines that are asked for and not recorded yet, without those that every run has."""
    return [name for name in asked if (is_pair(name) or is_reconstruction(name)) and name not in recorded]


def ordered_names() -> tuple[str, ...]:
    """List the files of this folder and all pairs, in the order of tables."""
    return (*baseline_names(), *pair_names())
