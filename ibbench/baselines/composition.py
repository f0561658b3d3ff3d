"""Regression on the number of atoms of each element: what the chemical formula alone tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ibbench.baselines import Baseline, register
from ibbench.data.layout import ATOMIC_NUMBER

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet

_MOST_STEPS, _SMALL = 100, 1e-10  # Newton's steps, and a change of the weights (at most about 10) that ends them
RIDGE = 1e-6  # relative to the mean square of a count: enough to make constant elements harmless


@register("composition")
class Composition(Baseline):
    """Predicts a linear function of the atom counts, hydrogens included.

    With `data.transform` the logarithm of the value is such a function, and of a class its logit is. Of an atom, all
    that its element tells is the mean of that element.
    """

    of_atoms = True

    ignores = Baseline.ignores | {"data.features"}

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
        if self.dataset.targets[column].output == "atoms":
            return self._fit_elements(self.dataset.labels(target), subset)
        labels, described = self.dataset.values[subset, column], self.dataset.targets[column]
        if described.is_class:
            logits = predict_logits(self._features[subset, 1:], labels, self._features[:, 1:])
            return lambda index: logits[index].sigmoid()
        in_logarithms = described.logarithmic and not described.log_offset
        # All at once: the last digit of a product can depend on which rows are multiplied with it.
        values = self._features @ fit_ridge(self._features[subset], labels.log() if in_logarithms else labels)
        values = values.exp() if in_logarithms else values
        return lambda index: values[index]

    def _fit_elements(self, labels: Tensor, subset: Tensor) -> Callable[[Tensor], Tensor]:
        """Take the mean of each element over train atoms, and of all atoms for an element that is not among them."""
        import torch

        known = labels[subset]
        present, elements = ~known.isnan(), self.dataset.molecules.atoms[..., ATOMIC_NUMBER].long()
        size = int(elements.max()) + 1
        total, count = (
            torch.bincount(elements[subset][present], weights=weights, minlength=size)
            for weights in (known[present], torch.ones_like(known[present]))
        )
        means = torch.where(count > 0, total / count, known[present].mean())
        return lambda index: means[elements[index]]


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


def predict_logits(features: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """Fit a logistic regression, and return the logits of class 1 that it predicts, float64 `[m]`.

    Features are standardised, and half the square of their weights is added to the sum of log losses, which keeps
    weights finite where the classes can be separated. The minimum is found by Newton's method (iteratively reweighted
    least squares, McCullagh & Nelder 1989, section 2.5).

    Args:
        features: features without an intercept, float64 `[n, p]`.
        labels: classes, 0 or 1, float64 `[n]`.
        asked: features of the molecules to predict, float64 `[m, p]`.
    """
    import torch

    mean, scale = features.mean(0), features.std(0, correction=0)
    scale = torch.where(scale > 0, scale, torch.inf)  # a constant feature tells nothing
    x, new = (torch.cat([part.new_ones(len(part), 1), (part - mean) / scale], 1) for part in (features, asked))
    weights = x.new_zeros(x.shape[1])
    penalty = torch.ones_like(weights)
    penalty[0] = 0
    weights[0] = labels.mean().logit()

    def loss(weights: Tensor) -> Tensor:
        signed = (1 - 2 * labels) * (x @ weights)
        return torch.logaddexp(torch.zeros_like(signed), signed).sum() + (penalty * weights**2).sum() / 2

    for _ in range(_MOST_STEPS):
        probability = (x @ weights).sigmoid()
        gradient = x.T @ (probability - labels) + penalty * weights
        curvature = (x.T * (probability * (1 - probability))) @ x + penalty.diag()
        step = torch.linalg.solve(curvature, gradient)
        while loss(weights - step) > loss(weights) and step.abs().max() > _SMALL:
            step = step / 2  # where the quadratic approximation goes too far
        weights = weights - step
        if step.abs().max() <= _SMALL:
            break
    return new @ weights


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
