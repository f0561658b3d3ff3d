"""How many bits of information, beyond the labels, it takes to pick a hypothesis that is right about new molecules."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.jacobian import gram
from ibbench.probes.subject.quadratic import log_probability_below
from ibbench.probes.subject.ridge import Floats, decompose, log_evidence, with_constant
from ibbench.probes.subject.subject import Subject

MOLECULES = 200  # test molecules on which a hypothesis has to be right
ERRORS = (1.0, 0.5, 0.25)  # largest RMSE that counts as right, in standard deviations of the labels
REQUIRED, OF_MEAN, OF_DRAW = "information required", "RMSE of the mean hypothesis", "RMSE of a drawn hypothesis"
_NOTHING = 1e-10  # share of the largest variance that rounding leaves in place of 0


@register("required_bits")
class RequiredBits(Probe):
    """-log2 of the probability that a hypothesis which fits the train labels is right about new molecules.

    Hypotheses are drawn from a Gaussian process with the tangent kernel of the untrained model and a constant, given
    the train labels (see `kernel`; ridge and scale are the most probable ones). A draw includes the noise of the
    process, which is independent for each molecule. A hypothesis is right if its RMSE on 200 test molecules is at most
    eps, where eps is 1, 0.5 or 0.25 standard deviations of the labels.

    The required bits have to come from another source than labels and architecture. The bits that one architecture
    requires less than another are what its bias supplies (Boopathy et al. 2023, arXiv:2305.01034; 2024,
    arXiv:2406.15941, where a scaled chi-square is fitted to the errors of drawn networks). Here the errors of a draw
    are jointly Gaussian, so the sum of their squares is a weighted sum of non-central chi-squares, whose tail is known.

    Bits grow with the number of molecules on which a hypothesis has to be right, so they are only meaningful beside
    those of another model on the same molecules, labels and eps. A single draw errs more than the mean of all draws; a
    trained network is nearer to the mean, so the RMSE of the mean is given, too. Whether fewer bits go with a lower
    error after training was tried on four models only; the evidence of the probe `kernel` was held against 22.
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
        """Return a sentence with the bits for one error."""
        if not part:
            return ""
        return f"{who}: {part} on at most {MOLECULES} test molecules takes {figures[REQUIRED].text} beyond the labels"


def bits(covariance: Floats, offsets: Floats, error: float) -> float:
    """Return -log2 of the probability that the root mean square of jointly Gaussian errors is at most a bound.

    Args:
        covariance: covariance of the errors, `[m, m]`.
        offsets: means of the errors, `[m]`.
        error: the bound on the root mean square, in the unit of the errors.

    Returns:
        The bits, at least 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    variances = values.clip(min=_NOTHING * values[-1])
    log_probability = log_probability_below(len(offsets) * error**2, variances, vectors.T @ offsets)
    return max(0.0, -log_probability / math.log(2))
