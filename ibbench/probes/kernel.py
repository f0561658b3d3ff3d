"""Which labels an untrained model finds likely, and predicts well: regression with its tangent kernel."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import BITS, Finding, Mean, Probe, register
from ibbench.probes.subject.movement import (
    MOLECULES,
    centred_alignment,
    distance,
    errors_of_kernel,
    errors_of_network,
    follow,
)
from ibbench.probes.subject.replay import difference_from_record
from ibbench.probes.subject.ridge import decompose, fit, with_constant
from ibbench.probes.subject.subject import Subject

EVIDENCE, MAE = "evidence", "leave-one-out MAE"
SHUFFLED = "shuffled labels"
MOVED, SAME, ALIGNED = "distance from the first kernel", "CKA with the first kernel", "alignment with the labels"
TRAINED, FIRST, LAST = "test MAE, last step", "test MAE, first kernel", "test MAE, last kernel"
LEARNED, DIFFERENCE = "what features take from the error", "largest difference from the record"
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

    With `--along` the training is done again, and its kernel K_t followed: the distance |K_t - K_0| / |K_0| from the
    first one (0 in the limit of infinite width, where training is the regression with K_0), the centred alignment of
    the two (CKA), which does not see a change of scale, and that of K_t with the kernel y y^T of the labels, which
    rises where features are learned for them (Fort et al. 2020, arXiv:2010.15110; Baratin et al. 2021,
    arXiv:2008.00938). At the end the test MAE of the trained network stands beside those of the regressions with the
    first and with the last kernel (Long 2021, arXiv:2105.10585), on the same 500 test molecules: what the network has
    less than its first kernel are the features that it has learned, and if its last kernel errs as little, the
    features are all in it. These errors are left out if there are more train molecules than are looked at.
    """

    summary = "how likely an untrained model finds the labels, and how well its tangent kernel predicts them"
    needs = "jacobian"
    moments = ("init", "along")
    headline = EVIDENCE
    correlations = frozenset({SAME, ALIGNED})
    signed = frozenset({LEARNED})

    def headline_at(self, at: str) -> str:
        """Return the evidence at the first weights, and the distance from the first kernel along a training."""
        return MOVED if at == "along" else self.headline

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Fit the labels of each target, and the same labels shuffled, or follow the kernel along a training."""
        if subject.moment == "along":
            yield from self._along(subject)
            return
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

    def _along(self, subject: Subject) -> Iterator[Finding]:
        target, unit, labels = subject.targets[0], subject.units[0], subject.labels[0]
        looks, stages = follow(subject)
        first, last = looks[0], looks[-1]
        for look in looks:
            part = f"after {100 * look.share:.3g} % of the steps"
            if look is not first:
                yield Finding(MOVED, part, distance(first.kernel, look.kernel), "", target)
                yield Finding(SAME, part, centred_alignment(first.kernel, look.kernel), "", target)
            yield Finding(ALIGNED, part, centred_alignment(look.kernel, np.outer(labels, labels)), "", target)
        if len(subject.train_index) == subject.point.split.train_size:
            trained, by_first, by_last = (
                float(errors.mean())
                for errors in (errors_of_network(last), errors_of_kernel(first), errors_of_kernel(last))
            )
            yield Finding(TRAINED, "", trained, unit, target)
            yield Finding(FIRST, "", by_first, unit, target)
            yield Finding(LAST, "", by_last, unit, target)
            yield Finding(LEARNED, "", 100 * (1 - trained / by_first), "%", target)
        share = difference_from_record(subject.run, target, subject.seed, stages)
        if share is not None:
            yield Finding(DIFFERENCE, "", 100 * share, "%", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the evidence and the leave-one-out error, or on the kernel along a training."""
        if MOVED in figures and part.startswith("after 100 %"):
            return (
                f"{who}: at the end the kernel has moved by {figures[MOVED].text} of its norm; its CKA with the first "
                f"one is {figures[SAME].text}, its alignment with the labels {figures[ALIGNED].text}"
            )
        if TRAINED in figures:
            trained, first, last = (figures[name].text for name in (TRAINED, FIRST, LAST))
            told = (
                f"{who}: after the last step its MAE on at most {MOLECULES} test molecules is {trained}, "
                f"that of its first kernel {first}"
            )
            told += f", of its last kernel {last}: features take {figures[LEARNED].text} from the error"
            same = figures.get(DIFFERENCE)
            return f"{told}; the replay parts from the recorded validation MAE by {same.value:.1g} %" if same else told
        if part or EVIDENCE not in figures:
            return ""
        bits, error = figures[EVIDENCE].text, figures[MAE].text
        return f"{who}: the untrained kernel finds labels at {bits}; its leave-one-out MAE is {error}"
