"""The part of a target that follows from a molecule's composition alone, which is subtracted before training."""

import torch
from torch import Tensor

from ibbench.baselines.composition import fit_ridge, leave_one_out
from ibbench.options.config import ReferenceOption


def fit_slopes(composition: Tensor, values: Tensor, reference: ReferenceOption) -> Tensor:
    """Return what one atom more of each element adds to a target, float64 `[E]`; zeros where nothing is subtracted.

    A sum over atoms learns sizes slowly: the number of atoms varies little between molecules, so that what depends on
    it is nearly a constant. Regression on the composition solves for that part exactly, for all models alike.

    Args:
        composition: numbers of atoms of each element in the train molecules, float64 `[n, E]`.
        values: the transformed target of these molecules, float64 `[n]`.
        reference: `composition` subtracts the regression, `none` does not, and `auto` does where it predicts train
            molecules that are left out of the fit, one at a time, better than their mean does.
    """
    features = torch.cat([composition.new_ones(len(composition), 1), composition], dim=1)
    if reference == "none" or (reference == "auto" and share_foretold(features, values) <= 0):
        return composition.new_zeros(composition.shape[1])
    return fit_ridge(features, values)[1:]


def share_foretold(features: Tensor, values: Tensor) -> float:
    """Return the share of a target's variance that a regression predicts of molecules it was not fitted to.

    Args:
        features: the features of n molecules, float64 `[n, p]`; the first column is the intercept.
        values: the target of these molecules, float64 `[n]`.

    Returns:
        1 minus the ratio of two sums of squared errors, that of the regression over that of the mean, both fitted
        without the molecule that they predict; below 0 where the mean is better, 0 where the target does not vary.
    """
    errors = [leave_one_out(columns, values).square().sum() for columns in (features, features[:, :1])]
    return float(1 - errors[0] / errors[1]) if errors[1] > 0 else 0.0
