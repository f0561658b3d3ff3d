"""Which labels an untrained model finds easy: regression with its tangent kernel, on which training would start."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import BITS, Finding, Mean, Probe, register
from ibbench.probes.subject.ridge import decompose, fit, with_constant
from ibbench.probes.subject.subject import Subject

EVIDENCE, MAE = "evidence", "leave-one-out MAE"
SHUFFLED = "shuffled labels"
NOTHING_KNOWN = 0.5 * math.log2(2 * math.pi * math.e)  # bits of a normalised label under its own mean and spread


@register("kernel")
class Kernel(Probe):
    """K_ij = <gradient of f(x_i), gradient of f(x_j)> with respect to all weights, as the seed draws them.

    A very wide network that is trained by small steps is the regression with this kernel (Jacot et al. 2018,
    arXiv:1806.07572); one of finite width only starts like it. So it is no forecast of an error by theory, but a
    measure of what the architecture alone finds likely. Labels are those that the model is trained on: normalised, less
    a regression on composition where the recipe subtracts that, which is fitted with the molecule that is left out.

    The evidence is the density of the labels under a Gaussian process with this kernel, a constant and noise, of the
    most probable scale and noise, as bits per label: fewer are better, and 2.05 is what they take without any kernel.
    It answers which model to try first. Errors are of each molecule by all the others. Shuffled labels are the control:
    no kernel may find them likely. Weights that start at 0 are seen through their gradients alone, and what features
    a model learns is not seen at all.
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
        """Tell the evidence and the error."""
        if part:
            return ""
        bits, error = figures[EVIDENCE].text, figures[MAE].text
        return f"{who}: the untrained kernel finds labels at {bits}; its leave-one-out MAE is {error}"
