"""Whether molecules pull the weights the same way, and which of them are hard."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.agreement import rank_correlation
from ibbench.probes.signal import gradients_by_layer
from ibbench.probes.subject.subject import Subject
from ibbench.training.optim import LOSSES

WHOLE = "all weights"
COHERENCE, SHARE = "m-coherence", "of the largest possible"
GRAND, EL2N, HARD = "GraNd", "EL2N", "EL2N of hard molecules"
RARE, TOGETHER = "rank correlation of EL2N and rarity of the label", "rank correlation of GraNd and EL2N"
_HARDEST = 10


@register("coherence")
class Coherence(Probe):
    """Alignment and size of the gradients g_i of the loss, one for each of m train molecules.

    m-coherence is |sum of g_i|^2 over the sum of |g_i|^2 (Chatterjee & Zielinski 2020, arXiv:2008.01217). It is 1 if
    the gradients are orthogonal, so that a step for one molecule does nothing for another; m if all gradients are
    equal; and below 1 if they cancel, as at the end of a training. It depends on m, so compare models at the same
    number of molecules.

    GraNd is the norm of g_i, and EL2N is |prediction - label| in standard deviations of the labels: the scores of Paul
    et al. 2021 (arXiv:2107.07075) in their form for regression. Both are given as means over molecules. The molecules
    with the largest EL2N are listed as hard, for each seed by itself, since each seed draws its own train molecules.

    Before training, EL2N is mostly the distance of a label from the mean of the labels; the correlation of EL2N with
    that distance shows how much so. The list then names rare labels, not molecules that are hard for this bias.
    Coherence has not been shown to predict which bias ends with the lower error.
    """

    summary = "whether train molecules pull the weights the same way, and which of them are hard"
    needs = "jacobian"
    moments = ("init", "trained")
    headline = COHERENCE
    logarithmic = True
    correlations = frozenset({RARE, TOGETHER})
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the train molecules, with the loss of the recipe."""
        index, labels = subject.train_index, subject.labels
        predictions = subject.predict(subject.molecules(index)).double().cpu()
        parts = {WHOLE: subject.gradients} | gradients_by_layer(subject.named_gradients())
        squares = {part: gradients.square().sum(1).double().cpu() for part, gradients in parts.items()}
        for target, row in zip(subject.targets, labels, strict=True):
            slopes = slopes_of_loss(predictions, torch.from_numpy(row), subject.point.config.loss)
            for part, gradients in parts.items():
                coherence = m_coherence(gradients, squares[part], slopes)
                yield Finding(COHERENCE, part, coherence, "", target)
                yield Finding(SHARE, part, 100 * coherence / len(row), "%", target)
            grand = (slopes.abs() * squares[WHOLE].sqrt()).numpy()
            el2n = np.abs(predictions.numpy() - row)
            yield Finding(GRAND, WHOLE, float(grand.mean()), "", target)
            yield Finding(EL2N, WHOLE, float(el2n.mean()), "sd", target)
            yield Finding(RARE, WHOLE, rank_correlation(el2n, np.abs(row - row.mean())), "", target)
            yield Finding(TOGETHER, WHOLE, rank_correlation(grand, el2n), "", target)
            for place in np.argsort(-el2n, kind="stable")[:_HARDEST]:
                smiles = subject.point.dataset.smiles[int(index[place])]
                yield Finding(HARD, smiles, float(el2n[place]), "sd", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the coherence of all weights, and with the correlation of hard and rare labels."""
        if part != WHOLE:
            return ""
        coherence, share, rare = (figures[name].text for name in (COHERENCE, SHARE, RARE))
        return (
            f"{who}: gradients have an m-coherence of {coherence} ({share} of the largest possible); the rank "
            f"correlation of hard and rarely labelled is {rare}"
        )


def m_coherence(gradients: Tensor, squares: Tensor, slopes: Tensor) -> float:
    """Return the m-coherence |sum of s_i g_i|^2 / sum of |s_i g_i|^2, from 0 to m; 0 if all products are 0.

    Args:
        gradients: gradient g_i of each prediction with respect to the weights, `[m, P]`.
        squares: squared norms |g_i|^2, float64 `[m]`, which take long to compute and are the same for all targets.
        slopes: derivative s_i of each molecule's loss with respect to its prediction, float64 `[m]`.
    """
    total = float((slopes.to(gradients) @ gradients).double().square().sum())
    apart = float(slopes.square() @ squares)
    return total / apart if apart else 0.0


def slopes_of_loss(predictions: Tensor, labels: Tensor, loss: str) -> Tensor:
    """Return the derivative of each molecule's loss with respect to its prediction, `[m]`.

    Args:
        predictions: normalised predictions, `[m]`.
        labels: normalised labels, `[m]`.
        loss: name of the loss, as the option `loss` has it.
    """
    leaf = predictions.detach().clone().requires_grad_()
    return torch.autograd.grad(LOSSES[loss](leaf, labels, reduction="sum"), leaf)[0]
