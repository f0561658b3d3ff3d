"""How smooth a model is, how complex untrained ones are, and how much of a first guess is the draw of the weights."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.subject import Subject
from ibbench.probes.subject.view import View
from ibbench.record.predictions import Floats

MOLECULES = 64  # test molecules at which derivatives are taken and through which lines are drawn
NODES = 33  # points on a line at which the model predicts
REACH = 3.0  # distance from a molecule to either end of its line, in standard deviations of each feature
DRAWS = 16  # draws of initial weights
GEOMETRIC, RELATIVE = "geometric complexity", "geometric complexity / variance"
DEGREE, BETWEEN = "mean degree along a line", "share of variance between initialisations"


@register("smoothness")
class Smoothness(Probe):
    """How steep predictions are, of which degree they are along random lines, and how much the draw of weights decides.

    Geometric complexity is the squared norm of the derivative of the prediction with respect to all inputs, averaged
    over molecules (Dherin et al. 2022, arXiv:2209.13083): |w|^2 for f = w x. Since an untrained model may have any
    scale, it is also given over the variance of the predictions of the same molecules. Inputs are the standardised
    features of atoms. For models that read the SMILES they are numbers added to the embedding of tokens, which have
    another scale, so do not compare these models with the others. Bonds and coordinates stay as they are.

    The mean degree is the complexity of a function after Teney et al. 2024 (arXiv:2403.02241). Predictions along a line
    through a molecule, from -3 to 3 standard deviations in a random direction of all its features, are written in
    Chebyshev polynomials with coefficients c_k; the mean degree is the mean of k >= 1 with weights c_k^2, which is 1
    for a linear function. At init it says how simple the functions are that an architecture draws. Points on a line are
    not features of real molecules.

    The share of variance between initialisations, measured at init, is the variance over 16 draws of weights of the
    mean prediction, over the variance of all predictions. It is 1 if each draw predicts the same value for all
    molecules: an initial guess that training must first undo (Francazi et al. 2024, arXiv:2306.00809, for classes).

    In a pilot on the gap and mu, geometric complexity at init did not predict which model ends with the lower error:
    its rank correlation with the trained error was -0.34 to 0.07.
    """

    summary = "how steep and how bent predictions are, and how much of a first guess is the draw of the weights"
    needs = "forward"
    moments = ("init", "trained")
    headline = DEGREE
    correlations = frozenset({BETWEEN})
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at some test molecules."""
        target = subject.targets[0] if subject.moment == "trained" else ""
        index, model = subject.test_index[:MOLECULES], subject.module()
        view = View(subject, index)
        run = view.predictions(model)
        steepness = geometric_complexity(run, view.features)
        with torch.no_grad():
            variance = float(run(view.features).double().var())
        yield Finding(GEOMETRIC, "", steepness, "", target)
        if variance:
            yield Finding(RELATIVE, "", steepness / variance, "", target)
        generator = torch.Generator().manual_seed(subject.seed)
        direction = torch.randn(view.features.shape, generator=generator).to(view.features.device)
        degree = mean_degree(along_lines(run, view.features, direction * view.mask[..., None]))
        if not math.isnan(degree):
            yield Finding(DEGREE, "", degree, "", target)
        if subject.moment == "init":
            outputs = subject.redraw(DRAWS, subject.test_index).double().cpu().numpy()
            yield Finding(BETWEEN, "", share_between(outputs))

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:  # noqa: ARG002 (there is one)
        """Return a sentence with the degree, and the share of variance between initialisations."""
        if DEGREE not in figures:
            return f"{who}: predictions are constant"
        sentence = f"{who}: along a line predictions are of degree {figures[DEGREE].text} in the mean"
        if BETWEEN in figures:
            sentence += f"; {figures[BETWEEN].text} of the variance of first guesses is the draw of weights alone"
        return sentence


def geometric_complexity(run: Callable[[Tensor], Tensor], inputs: Tensor) -> float:
    """Return the squared norm of the derivative of the output with respect to the input, averaged over molecules.

    Args:
        run: a function from `[B, J, V]` to `[B]`; no molecule may influence the output of another.
        inputs: the points where derivatives are taken, `[B, J, V]`.
    """
    leaf = inputs.detach().requires_grad_()
    (slope,) = torch.autograd.grad(run(leaf).sum(), leaf)
    return float(slope.double().square().flatten(1).sum(1).mean())


@torch.no_grad()
def along_lines(run: Callable[[Tensor], Tensor], inputs: Tensor, direction: Tensor) -> Floats:
    """Return the outputs of a function at the Chebyshev nodes of a line through each input, `[NODES, B]`.

    Args:
        run: a function from `[B, J, V]` to `[B]`.
        inputs: the middle of each line, `[B, J, V]`.
        direction: the direction of each line, `[B, J, V]`; a line ends at `REACH` times its direction.
    """
    nodes = chebyshev.chebpts1(NODES)
    return np.stack([run(inputs + REACH * node * direction).double().cpu().numpy() for node in nodes])


def mean_degree(outputs: Floats) -> float:
    """Return the mean degree of functions in Chebyshev polynomials (Teney et al. 2024, arXiv:2403.02241).

    Each degree is weighted by the square of its coefficient; the constant is left out.

    Args:
        outputs: values of a function at the Chebyshev nodes of each line, `[NODES, B]`.

    Returns:
        The mean over lines; NaN if all functions are constant.
    """
    matrix = chebyshev.chebvander(chebyshev.chebpts1(NODES), NODES - 1)
    weights = np.square(np.linalg.solve(matrix, outputs - outputs.mean(0)))[1:]
    bent = weights[:, weights.sum(0) > 0]
    degrees = np.arange(1, NODES) @ bent / bent.sum(0)
    return float(degrees.mean()) if degrees.size else math.nan


def share_between(outputs: Floats) -> float:
    """Return the variance between draws of their mean outputs, over the variance of all outputs; 0 if all are equal.

    Args:
        outputs: predictions of m molecules by each draw of weights, `[draws, m]`.
    """
    whole = float(np.square(outputs - outputs.mean()).mean())
    return float(np.square(outputs.mean(1) - outputs.mean()).mean()) / whole if whole else 0.0
