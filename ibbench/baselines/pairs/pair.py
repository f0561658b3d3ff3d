"""A pair of a representation and a regression, as a baseline."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines import Baseline
from ibbench.baselines.pairs import split_pair
from ibbench.baselines.pairs.vectors import Vectors
from ibbench.baselines.regressors import Fitted, RegressorBase, Settings, get_regressor
from ibbench.baselines.representations import RepresentationBase, get_representation
from ibbench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet

_FARTHEST = (
    10.0  # standard deviations; a standardised value beyond is cut, so that no rare molecule is predicted wildly
)


class Pair(Baseline):
    """Predicts by a regression on vectors made by hand. `get_pair` gives each pair a class of its own.

    Attributes:
        name: the names of both parts, joined by `+`.
        representation: makes the vectors.
        regressor: the regression.
        most_labels: the largest train size; None for any size.
        vectors: the vectors of the molecules.
        settings: what the last fit has chosen for each of its targets.
    """

    name: ClassVar[str]
    representation: ClassVar[type[RepresentationBase]]
    regressor: ClassVar[type[RegressorBase]]
    most_labels: ClassVar[int | None]

    def __init__(self, dataset: DataSet) -> None:
        super().__init__(dataset)
        self.vectors = Vectors(dataset, split_pair(self.name).representation)
        self._num_parameters = 0
        self.settings: tuple[Settings, ...] = ()

    @property
    def num_parameters(self) -> int:
        """The number of parameters that the last fit has chosen, the most of its targets; 0 before any fit."""
        return self._num_parameters

    @classmethod
    def check(cls, dataset: DataSet, train_size: int) -> None:
        """Check that the pair can be fitted to so many molecules of a data set.

        Raises:
            InputError: the data set lacks coordinates that are needed or has too many elements, or there are too many
                molecules, or too few for the principal components.
        """
        if cls.representation.reads == "geometry" and dataset.molecules.positions.isnan().any():
            raise InputError(f"'baselines=[{cls.name}]' reads coordinates, which {dataset.source} has not")
        components = split_pair(cls.name).components
        if components and components >= train_size:
            raise InputError(
                f"'baselines=[{cls.name}]' is not possible: {train_size:,} train molecules have at most "
                f"{train_size - 1:,} principal components"
            )
        most = cls.representation.most_elements
        if most and (found := len(dataset.composition()[1])) > most:
            raise InputError(
                f"'baselines=[{cls.name}]' has columns for each four elements, and {found} elements are too many: "
                f"expected a data set of at most {most}"
            )
        if cls.most_labels and train_size > cls.most_labels:
            raise InputError(
                f"'baselines=[{cls.name}]' compares all pairs of train molecules, and {train_size:,} are too many: "
                f"expected a data.train_size of at most {cls.most_labels:,}"
            )

    def prepare(self, index: Tensor) -> None:
        """Compute the vectors of the molecules at `index`, all at once, unless the cache has them."""
        self.vectors.prepare(index.numpy())

    def fit(self, target: str, subset: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit to the labels of one target (see `Baseline.fit`)."""
        return self.fit_all([target], subset)[0]

    def fit_all(self, targets: Sequence[str], subset: Tensor) -> list[Callable[[Tensor], Tensor]]:
        """Fit to the labels of several targets at once, which shares the work on the vectors (see `Baseline.fit`)."""
        vectors = self.vectors.at(subset.numpy())
        labels = self.dataset.values[subset][:, [self.dataset.column(target) for target in targets]].numpy()
        fits = fit_pair(self.name, vectors, labels)
        self._num_parameters = max(fitted.num_parameters for fitted in fits)
        self.settings = tuple(fitted.settings for fitted in fits)
        return [functools.partial(self._predict, fitted) for fitted in fits]

    def _predict(self, fitted: FittedPair, index: Tensor) -> Tensor:
        import torch

        return torch.from_numpy(fitted.predict(self.vectors.at(index.numpy()))).double()


Scale = Callable[[NDArray[Any]], NDArray[Any]]


class FittedPair(NamedTuple):
    """A pair that is fitted to the labels of one target.

    Attributes:
        predict: a function from the vectors of n molecules, `[n, p]`, to values in the target's unit, float64 `[n]`.
        num_parameters: the number of parameters that the fit has chosen.
        settings: what was chosen before the fit, see `RegressorBase.choose`.
    """

    predict: Callable[[NDArray[Any]], NDArray[Any]]
    num_parameters: int
    settings: Settings


def fit_pair(
    name: str, vectors: NDArray[Any], labels: NDArray[Any], settings: Sequence[Settings] | None = None
) -> list[FittedPair]:
    """Fit a pair to the labels of T targets.

    Args:
        name: the pair, such as `morgan+ridge`.
        vectors: vectors of m train molecules, `[m, p]`.
        labels: their labels, float64 `[m, T]`.
        settings: settings of each target that were chosen in an earlier fit; None to choose them.
    """
    named = split_pair(name)
    scale = _standardise(vectors) if get_representation(named.representation).standardised else _as_they_are
    if named.components:
        scale = _compress(vectors, scale, named.components)
    regressor, scaled = get_regressor(named.regressor)(), scale(vectors)
    chosen = regressor.choose(scaled, labels) if settings is None else settings

    def predict(fitted: Fitted, asked: NDArray[Any]) -> NDArray[Any]:
        return fitted.predict(scale(asked)) if len(asked) else np.empty(0)

    return [
        FittedPair(functools.partial(predict, fitted), fitted.num_parameters, of_target)
        for fitted, of_target in zip(regressor.fit(scaled, labels, chosen), chosen, strict=True)
    ]


def _as_they_are(vectors: NDArray[Any]) -> NDArray[Any]:
    return vectors


def _compress(vectors: NDArray[Any], scale: Scale, count: int) -> Scale:
    """Return a function that gives the first principal components, of those of `vectors` after `scale`, float64.

    Principal component analysis (Pearson 1901) by scikit-learn: the directions of largest variance over the train
    molecules, without dividing by it. A summary of fewer numbers keeps them all, turned.
    """
    from sklearn.decomposition import PCA

    columns = scale(vectors).astype(np.float64)
    solver = "covariance_eigh" if len(columns) >= columns.shape[1] else "full"
    fitted = PCA(min(count, *columns.shape), svd_solver=solver).fit(columns)
    return lambda asked: np.asarray(fitted.transform(scale(asked).astype(np.float64)))


def _standardise(vectors: NDArray[Any]) -> Scale:
    """Return a function that leaves out columns without spread here, and standardises the others as these are."""
    mean, spread = vectors.mean(0, dtype=np.float64), vectors.std(0, dtype=np.float64)
    used = spread > 1e-6 * np.maximum(np.abs(mean), 1)
    if not used.any():
        used[:1] = True
    divisor = np.where(spread[used] > 0, spread[used], 1)

    def scale(asked: NDArray[Any]) -> NDArray[Any]:
        return np.clip((asked[:, used] - mean[used]) / divisor, -_FARTHEST, _FARTHEST).astype(np.float32)

    return scale
