"""Whether two biases err on the same molecules: correlations of errors, similarity of states, gain of their mean."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ibbench.probes import Finding, Mean, PairProbe, register
from ibbench.probes.subject.pairs import Side
from ibbench.record.predictions import Floats

RANKS, CKA, GAIN = "rank correlation of errors", "CKA of last states", "gain of the two over the better"
SIGNED = "correlation of signed errors"


@register("agreement")
class Agreement(PairProbe):
    """Agreement of two trained models on all test molecules: are molecules that are hard for one hard for the other?

    It is measured by Spearman's correlation of the absolute errors, Pearson's correlation of the signed errors, and the
    gain of averaging: 1 minus the MAE of the mean of both predictions over the MAE of the better model. If the errors
    of both have variance v and correlation r, the error of the mean has variance v (1 + r) / 2: the less two models err
    together, the more their mean gains (Krogh & Vedelsby 1995).

    CKA compares the states after the last layer, summed over the parts of a molecule, for as many molecules as
    `--molecules` says. With the centred states of the two models as the rows of X and Y it is
    |X^T Y|_F^2 / (|X^T X|_F |Y^T Y|_F), which rotations and scaling do not change (Kornblith et al. 2019,
    arXiv:1905.00414, equation 3). CKA needs weights. The other figures need predictions alone, and those of
    evidence.zip suffice.

    Each model is also compared with itself at the next seed: that difference comes from training, not from the bias.
    Two seeds have different train molecules, while two models with one seed have the same. CKA is high for any states
    of which a few directions, such as the size of a molecule, have most of the variance, and for fewer molecules than
    states have features: a high CKA does not prove that two models compute the same features.
    """

    summary = "whether two trained models err on the same molecules, and what the mean of both gains"
    needs = "predictions"
    moments = ("trained",)
    headline = RANKS
    correlations = frozenset({RANKS, SIGNED, CKA})
    signed = frozenset({GAIN})
    by_default = False

    def compare(self, one: Side, other: Side) -> Iterator[Finding]:
        """Compare two models, or two seeds of one."""
        errors = [side.predictions - side.truth for side in (one, other)]
        sizes = [np.abs(of_one) for of_one in errors]
        better = min(float(of_one.mean()) for of_one in sizes)
        together = float(np.abs(sum(errors) / 2).mean())
        yield Finding(RANKS, "", rank_correlation(*sizes))
        yield Finding(SIGNED, "", correlation(*errors))
        yield Finding("MAE of the mean of both", "", together, one.unit)
        yield Finding(GAIN, "", 100 * (1 - together / better) if better else 0.0, "%")
        if one.states and other.states:
            yield Finding(CKA, "", linear_cka(one.states(), other.states()))

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the rank correlation, and the gain or loss of the mean of both models."""
        gain = figures[GAIN]
        outcome = f"gains {gain.text} over the better" if gain.value > 0 else f"gains nothing ({gain.text})"
        return f"{who}, {part}: absolute errors have a rank correlation of {figures[RANKS].text}; the mean {outcome}"


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation of two columns `[M]`; 0 if one of the columns is constant."""
    return correlation(stats.rankdata(one), stats.rankdata(other))


def correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation of two columns `[M]`; 0 if one of the columns is constant."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def linear_cka(one: Tensor, other: Tensor) -> float:
    """Return the linear CKA of two matrices `[m, V]` and `[m, W]`, from 0 to 1; 0 if all rows of a matrix are equal.

    Source: Kornblith et al. 2019, arXiv:1905.00414, equation 3.
    """
    x, y = (rows.double() - rows.double().mean(0) for rows in (one, other))
    size = float(torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y))
    return float(torch.linalg.matrix_norm(x.T @ y)) ** 2 / size if size else 0.0
