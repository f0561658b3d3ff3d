"""Whether two biases err on the same molecules: rank correlation of errors, alike states, what an ensemble gains."""

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
    """Of two trained models, on all test molecules: are the hard molecules of the one those of the other?

    Spearman's correlation of the absolute errors, Pearson's of the signed ones, and 1 - MAE of the mean of both
    predictions over the MAE of the better model. With errors of equal variance v and correlation r, the mean of both
    has variance v (1 + r) / 2: the less two models err together, the more their mean gains (Krogh & Vedelsby 1995).
    CKA compares the states after the last layer, summed over a molecule's parts, of `--molecules` of them: with rows
    centred, |X^T Y|_F^2 / (|X^T X|_F |Y^T Y|_F), which rotations and scaling do not change (Kornblith et al. 2019,
    arXiv:1905.00414, equation 3). It needs weights; the rest is from predictions alone, also those of evidence.zip.

    Each model also stands beside itself with the next seed: what that differs by is training, not bias. The two seeds
    there have other train molecules, while two models of one seed share theirs. CKA is high for any two states of
    which a few directions have most of the variance, such as the size of a molecule, and for fewer molecules than
    states have features: it is no proof of equal features.
    """

    summary = "whether two trained models err on the same molecules, and what the mean of both gains"
    needs = "predictions"
    moments = ("trained",)
    headline = RANKS
    correlations = frozenset({RANKS, SIGNED, CKA})
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
        """Tell the correlation, and what the mean of both gains or loses."""
        gain = figures[GAIN]
        outcome = f"gains {gain.text} over the better" if gain.value > 0 else f"gains nothing ({gain.text})"
        return f"{who}, {part}: absolute errors have a rank correlation of {figures[RANKS].text}; the mean {outcome}"


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation of two columns `[M]`; 0 where one of them is constant."""
    return correlation(stats.rankdata(one), stats.rankdata(other))


def correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation of two columns `[M]`; 0 where one of them is constant."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def linear_cka(one: Tensor, other: Tensor) -> float:
    """Return the linear CKA of two matrices `[m, V]` and `[m, W]`, from 0 to 1; 0 where all rows of one are equal."""
    x, y = (rows.double() - rows.double().mean(0) for rows in (one, other))
    size = float(torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y))
    return float(torch.linalg.matrix_norm(x.T @ y)) ** 2 / size if size else 0.0
