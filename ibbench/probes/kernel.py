"""Which labels an untrained model finds likely, and predicts well: regression with its tangent kernel."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import BITS, Finding, Mean, Probe, register
from ibbench.probes.subject.ridge import decompose, fit, with_constant
from ibbench.probes.subject.subject import Subject

EVIDENCE, MAE = "evidence", "leave-one-out MAE"
SHUFFLED = "shuffled labels"
# Bits per normalised label under a Gaussian with the mean and variance of the labels, that is, without any kernel.
NOTHING_KNOWN = 0.5 * math.log2(2 * math.pi * math.e)


@register("kernel")
class Kernel(Probe):
    """Regression with the tangent kernel of the untrained model, K_ij = <gradient of f(x_i), gradient of f(x_j)>.

    The gradients are with respect to all weights, as the seed draws them. A very wide network that is trained by small
    steps becomes the regression with this kernel (Jacot et al. 2018, arXiv:1806.07572), while a network of finite width
    only starts in this way. So the figures do not predict the error of training: they measure what the architecture
    alone finds likely. The labels are those that the model is trained on: normalised, and less a regression on
    composition where the recipe subtracts one. That regression is fitted on all train molecules, also when a molecule
    is left out here.

    The evidence is the probability density of the labels under a Gaussian process with this kernel, a constant, and the
    most probable scale and noise. It is given in bits per label: fewer bits are better, and without any kernel 2.05
    bits are needed. It helps to choose the model to try first. Leave-one-out errors are those of each molecule,
    predicted from all others. Shuffled labels are the control: no kernel should find them likely. Weights that start at
    0 count only through their gradients, and the features that a model would learn are not seen at all.
    """

    summary = "how likely an untrained model finds the labels, and how well its tangent kernel predicts them"
    needs = "jacobian"
    moments = ("init",)
    headline = EVIDENCE

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Fit the labels of each target, and the same labels shuffled."""
        spectrum = decompose(with_constant(subject.kernel))
        labels, index = subject.labels, subject.train_index
        fits = [fit(spectrum, row) for row in labels]
        left_out = labels - np.stack([one.residuals for one in fits])
        errors = np.abs(subject.to_units(left_out, index) - subject.truth(index)).mean(1)
        order = np.random.RandomState([subject.seed]).permutation(labels.shape[1])
        for row, target in enumerate(subject.targets):
            yield Finding(MAE, "", float(errors[row]), subject.units[row], target)
            for part, one in (("", fits[row]), (SHUFFLED, fit(spectrum, labels[row, order]))):
                yield Finding(EVIDENCE, part, one.bits, BITS, target)
                yield Finding("leave-one-out RMSE", part, float(np.sqrt(np.square(one.residuals).mean())), "sd", target)
                yield Finding("cross-validation RMSE", part, one.gcv, "sd", target)
                yield Finding("effective parameters", part, one.num_effective, "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the evidence and the leave-one-out error."""
        if part:
            return ""
        bits, error = figures[EVIDENCE].text, figures[MAE].text
        return f"{who}: the untrained kernel finds labels at {bits}; its leave-one-out MAE is {error}"
