"""The mean of the train subset, whatever the molecule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ibbench.baselines import Baseline, register
from ibbench.baselines.composition import fit_ridge

if TYPE_CHECKING:
    from torch import Tensor


@register("mean")
class Mean(Baseline):
    """Predicts the mean of the train labels: the ridge regression of `composition` with its intercept alone.

    Of a class the mean is the frequency of class 1, and of a target of atoms it is that over all atoms.
    """

    of_atoms = True

    ignores = Baseline.ignores | {"data.features"}
    num_parameters = 1

    def fit(self, target: str, subset: Tensor) -> Callable[[Tensor], Tensor]:
        """Take the mean of the labels of `subset` (see `Baseline.fit`)."""
        labels = self.dataset.labels(target)[subset]
        places, labels = labels.shape[1:], labels[~labels.isnan()]
        mean = fit_ridge(labels.new_ones(len(labels), 1), labels)
        return lambda index: mean.expand(len(index), *places)
