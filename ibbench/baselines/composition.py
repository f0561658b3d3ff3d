"""Ridge regression on the number of atoms of each element: what the chemical formula alone tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ibbench.baselines import Baseline, register

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet

RIDGE = 1e-6  # relative to the mean square of a count: enough to make constant elements harmless


@register("composition")
class Composition(Baseline):
    """Predicts a linear function of the atom counts, hydrogens included; with `data.transform` of the logarithm."""

    def __init__(self, dataset: DataSet) -> None:
        super().__init__(dataset)
        import torch

        counts, _ = dataset.composition()
        self._features = torch.cat([counts.new_ones(len(dataset), 1), counts], dim=1)

    @property
    def num_parameters(self) -> int:
        """One weight per element, and the intercept."""
        return self._features.shape[1]

    def fit(self, target: str, subset: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit the weights to the labels of `subset`, or to their logarithms if models are trained on these.

        See `Baseline.fit`. The targets of QM9 that are trained as log(1 + value) are fitted as they are.
        """
        column = self.dataset.column(target)
        labels, described = self.dataset.values[subset, column], self.dataset.targets[column]
        in_logarithms = described.logarithmic and not described.log_offset
        # All at once: the last digit of a product can depend on which rows are multiplied with it.
        values = self._features @ fit_ridge(self._features[subset], labels.log() if in_logarithms else labels)
        values = values.exp() if in_logarithms else values
        return lambda index: values[index]


def fit_ridge(features: Tensor, labels: Tensor) -> Tensor:
    """Return the weights of a ridge regression, float64 `[p]`: w = (X'X + lambda n)^-1 X'y, lambda = `RIDGE`.

    The mean of y is subtracted before, and added to the intercept afterwards.

    Args:
        features: X, float64 `[n, p]`; its first column is the intercept, which is not shrunk.
        labels: y, float64 `[n]`.
    """
    import torch

    centre = labels.mean()
    weights = torch.linalg.solve(_penalised(features), features.T @ (labels - centre))
    weights[0] += centre
    return weights


def leave_one_out(features: Tensor, labels: Tensor) -> Tensor:
    """Return the error of each molecule, float64 `[n]`, when the regression is fitted to all the others.

    The error is residual / (1 - leverage) (Allen 1974), with the same penalty in all fits.

    Args:
        features: X, as for `fit_ridge`, float64 `[n, p]`.
        labels: y, float64 `[n]`.
    """
    import torch

    leverage = (features * torch.linalg.solve(_penalised(features), features.T).T).sum(1)
    return (labels - features @ fit_ridge(features, labels)) / (1 - leverage).clamp(min=1e-12)


def _penalised(features: Tensor) -> Tensor:
    import torch

    penalty = torch.full((features.shape[1],), RIDGE * len(features), dtype=torch.float64)
    penalty[0] = 0
    return features.T @ features + penalty.diag()
