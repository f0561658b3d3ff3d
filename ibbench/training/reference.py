"""What the composition of a molecule alone says of a target: a reference that is subtracted before training."""

import torch
from torch import Tensor

from ibbench.baselines.composition import fit_ridge, leave_one_out
from ibbench.options.config import ReferenceOption

_SHARE = 0.5  # of the variance, from which on `auto` subtracts


def fit_slopes(composition: Tensor, values: Tensor, reference: ReferenceOption) -> Tensor:
    """Return what one atom more of each element adds to a target, float64 `[E]`; zeros where nothing is subtracted.

    A sum over atoms learns sizes slowly: the number of atoms varies little between molecules, so that what depends on
    it is nearly a constant. Regression on the composition solves for that part exactly, for all models alike.

    Args:
        composition: numbers of atoms of each element in the train molecules, float64 `[n, E]`.
        values: their targets, float64 `[n]`.
        reference: `composition` subtracts the regression, `none` does not, and `auto` does where it predicts more than
            half of the variance of train molecules that are left out of the fit, one at a time.
    """
    features = torch.cat([composition.new_ones(len(composition), 1), composition], dim=1)
    if reference == "none" or (reference == "auto" and share_foretold(features, values) <= _SHARE):
        return composition.new_zeros(composition.shape[1])
    return fit_ridge(features, values)[1:]


def share_foretold(features: Tensor, values: Tensor) -> float:
    """Return the share of a target's variance that a regression predicts of molecules it was not fitted to.

    Args:
        features: float64 `[n, p]`; the first column is the intercept.
        values: float64 `[n]`.

    Returns:
        1 - PRESS / sum of squares, at most 1; 0 where the target does not vary or there is one molecule.
    """
    if len(values) < 2:
        return 0.0
    spread = (values - values.mean()).square().sum()
    press = leave_one_out(features, values).square().sum()
    return float(1 - press / spread) if spread > 0 else 0.0
