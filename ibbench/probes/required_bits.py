"""How much must still be known to pick a good hypothesis among those that fit the labels: in bits."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.jacobian import gram
from ibbench.probes.subject.quadratic import log_probability_below
from ibbench.probes.subject.ridge import Floats, decompose, log_evidence, with_constant
from ibbench.probes.subject.subject import Subject

MOLECULES = 200  # new ones, on which a hypothesis is to be right
ERRORS = (1.0, 0.5, 0.25)  # at most, in standard deviations of the labels
REQUIRED, OF_MEAN, OF_DRAW = "information required", "RMSE of the mean hypothesis", "RMSE of a drawn hypothesis"
_NOTHING = 1e-10  # of the largest variance: what rounding leaves of a 0


@register("required_bits")
class RequiredBits(Probe):
    """-log2 of the probability that a hypothesis which fits the train labels is right about new molecules.

    Hypotheses are drawn from the Gaussian process with the tangent kernel of the untrained model and a constant, given
    the train labels (see `kernel`; ridge and scale are the most probable ones), with what the process takes for noise:
    it gives each molecule something of its own. Right is an RMSE of at most eps on 200 test molecules, with eps 1, 0.5
    and 0.25 standard deviations of the labels. What bits are required has to come from somewhere else than labels and
    architecture; what one architecture requires less than another is what it supplies (Boopathy et al. 2023,
    arXiv:2305.01034; 2024, arXiv:2406.15941, where a scaled chi-square is fitted to the errors of drawn networks).
    Here the errors of a draw are jointly Gaussian, so that their squared sum is a weighted sum of non-central
    chi-squares, whose tail is known.

    Bits grow with the number of molecules on which a hypothesis has to be right, and mean nothing but beside those of
    another model on the same molecules, labels and eps. A draw errs more than the mean of all, which is what a trained
    network is nearer to and is told beside it. That fewer bits go with a lower trained error has not been confirmed:
    `kernel` has the evidence, for which it has.
    """

    summary = "how many bits, beyond labels and architecture, pick a hypothesis that is right about new molecules"
    needs = "jacobian"
    moments = ("init",)
    headline = REQUIRED
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure with the train labels of each target."""
        index = subject.test_index[:MOLECULES]
        gradients = subject.gradients_of(index)
        constant = float(with_constant(subject.kernel)[0, 0] - subject.kernel[0, 0])
        spectrum = decompose(subject.kernel + constant)
        across = spectrum.vectors.T @ (gram(subject.gradients, gradients).cpu().numpy() + constant)
        among = gram(gradients).cpu().numpy() + constant
        truth = subject.normalised(index)
        for row, target in enumerate(subject.targets):
            labels = subject.labels[row]
            evidence = {ridge: log_evidence(spectrum, labels, ridge) for ridge in spectrum.ridges}
            ridge, (_, scale) = max(evidence.items(), key=lambda item: item[1][0])
            inverse = 1 / (spectrum.values + ridge)
            offsets = across.T @ (inverse * (spectrum.vectors.T @ labels)) - truth[row]
            covariance = scale * (among - across.T @ (inverse[:, None] * across) + ridge * np.eye(len(index)))
            for error in ERRORS:
                yield Finding(REQUIRED, f"RMSE at most {error:g} sd", bits(covariance, offsets, error), "bits", target)
            yield Finding(OF_MEAN, "", math.sqrt(float(np.square(offsets).mean())), "sd", target)
            total = float(np.square(offsets).mean() + covariance.diagonal().mean())
            yield Finding(OF_DRAW, "", math.sqrt(total), "sd", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Tell the bits for each error."""
        if not part:
            return ""
        return f"{who}: {part} on {MOLECULES} new molecules takes {figures[REQUIRED].text} beyond the labels"


def bits(covariance: Floats, offsets: Floats, error: float) -> float:
    """Return -log2 of the probability that the root mean square of Gaussian errors is at most a value.

    Args:
        covariance: of the errors, `[m, m]`.
        offsets: their means, `[m]`.
        error: the value.
    """
    values, vectors = np.linalg.eigh(covariance)
    variances = values.clip(min=_NOTHING * values[-1])
    log_probability = log_probability_below(len(offsets) * error**2, variances, vectors.T @ offsets)
    return max(0.0, -log_probability / math.log(2))
