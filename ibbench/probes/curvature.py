"""How sharply the loss bends around the weights, and whether the steps of the optimizer are stable there."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from ibbench.options.groups import AdamOptions
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.coherence import slopes_of_loss
from ibbench.probes.subject.lanczos import Product, spectral_measure
from ibbench.probes.subject.replay import chosen_trial
from ibbench.probes.subject.subject import Subject
from ibbench.training.optim import LOSSES

MOLECULES = 200  # train molecules over which the loss is averaged
DRAWS = 32  # random vectors for the estimate of the trace
SHARPNESS, TRACE = "largest eigenvalue", "trace"
PRECONDITIONED, LIMIT = "largest eigenvalue, preconditioned", "preconditioned / largest that is stable"
SHARE = "share of eigenvalues"
# Where eigenvalues lie, as multiples of the largest one: the lower and upper end of each part, and its name.
BINS = (
    (-np.inf, -0.1, "below -0.1 of the largest"),
    (-0.1, -0.01, "-0.1 to -0.01 of the largest"),
    (-0.01, 0.01, "within 0.01 of the largest"),
    (0.01, 0.1, "0.01 to 0.1 of the largest"),
    (0.1, np.inf, "above 0.1 of the largest"),
)
_EPSILON = 1e-8  # what Adam adds to the root before it divides by it
_PRECISE = 1e-3  # relative precision of an eigenvalue


@register("curvature")
class Curvature(Probe):
    """Largest eigenvalue and trace of the Hessian H of the mean loss over some train molecules, by all weights.

    The eigenvalue is found by Lanczos iteration (ARPACK). The trace is estimated after Hutchinson (1990) as the mean of
    z^T H z over 32 vectors z of random signs, with an error of some per cent.

    The spectral density says how many directions are how sharp: of a trained network nearly all eigenvalues are near 0,
    and few are large (Sagun et al. 2017, arXiv:1706.04454). The share of eigenvalues in five parts, from below -0.1 to
    above 0.1 of the largest one, is estimated by stochastic Lanczos quadrature (Ghorbani et al. 2019,
    arXiv:1901.10159): 40 steps from each of 4 vectors of random signs. The share of the 5 directions out of 100,000 in
    which a loss is sharp is far below the error of the estimate; the shares are those of the many directions.

    Gradient descent with learning rate eta is stable up to an eigenvalue of 2 / eta. Adam scales the step of each
    weight. Its stability depends on the largest eigenvalue of P^-1/2 H P^-1/2, where P is the diagonal matrix of the
    root mean squares of batch gradients, and the limit is (2 + 2 beta1) / ((1 - beta1) eta), which is 38 / eta at
    beta1 = 0.9 (Cohen et al. 2022, arXiv:2207.14484). Trainings with the whole train set as one batch rise to the limit
    and stay there; those with small batches stay below.

    Runs do not record P. Here it is computed for random batches at the given weights, as the root of
    (mean g)^2 + variance of g / batch size, while Adam averages over past steps. The learning rate is that of the
    recipe before its schedule. The loss is that of the recipe: an absolute error has no curvature of its own, so that
    only the curvature of the model is measured, and its kinks are not seen. A flat minimum is not a better one: the
    same function can be written with sharp and with flat weights (Dinh et al. 2017, arXiv:1703.04933), so do not rank
    models by these figures.
    """

    summary = "how sharply the loss bends around the weights, and whether steps of the learning rate are stable there"
    needs = "jacobian"
    moments = ("init", "trained")
    headline = SHARPNESS
    signed = frozenset({TRACE})
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure the loss of each target."""
        config = subject.point.config
        index = subject.train_index[:MOLECULES]
        for target, labels in zip(subject.targets, subject.labels, strict=True):
            row = torch.from_numpy(labels[: len(index)]).float()
            multiply, size = hessian_of_loss(subject, index, row, config.loss)
            largest = largest_eigenvalue(multiply, size, subject.seed)
            yield Finding(SHARPNESS, "", largest, "", target)
            yield Finding(TRACE, "", trace(multiply, size, subject.seed), "", target)
            for part, share in shares_of_eigenvalues(multiply, size, subject.seed, largest).items():
                yield Finding(SHARE, part, 100 * share, "%", target)
            rate = _rate(subject, target)
            if isinstance(config.optimizer, AdamOptions) and rate is not None:
                batch = min(config.trainer.batch_size, subject.point.split.train_size)
                scale = _adam_scale(subject, row, config.loss, batch).rsqrt()
                found = largest_eigenvalue(_scaled(multiply, scale), size, subject.seed)
                beta = config.optimizer.beta1
                yield Finding(PRECONDITIONED, "", found, "", target)
                yield Finding(LIMIT, "", found / ((2 + 2 * beta) / ((1 - beta) * rate)), "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the eigenvalue, the trace, and how near Adam's steps are to instability."""
        if part:
            is_flat = part == BINS[2][2]
            return f"{who}: {figures[SHARE].text} of the eigenvalues are {part}" if is_flat else ""
        sentence = f"{who}: the loss bends by up to {figures[SHARPNESS].text}, {figures[TRACE].text} in all directions"
        if LIMIT in figures:
            sentence += f"; scaled as by Adam that is {figures[LIMIT].text} of what its steps are stable at"
        return sentence


def _rate(subject: Subject, target: str) -> float | None:
    """Return the learning rate of the training; None if the seed tunes itself and is not yet trained."""
    config = subject.point.config
    if config.tuning is None:
        return config.optimizer.lr
    trial, _ = chosen_trial(subject.record, target, subject.seed)
    return trial.lr if trial and subject.moment == "trained" else None


def hessian_of_loss(subject: Subject, index: Tensor, labels: Tensor, loss: str) -> tuple[Product, int]:
    """Return a function that multiplies the Hessian of the mean loss with a vector `[P]`, and the number of weights P.

    Args:
        subject: the model.
        index: indices of the molecules in the data set, int64 `[m]`.
        labels: normalised labels of these molecules, float32 `[m]`.
        loss: name of the loss, as the option `loss` has it.
    """
    model, molecules = subject.module(), subject.inputs(index)
    weights = list(model.parameters())
    value = LOSSES[loss](model(molecules), labels.to(molecules.mask.device))
    slopes = torch.autograd.grad(value, weights, create_graph=True, allow_unused=True, materialize_grads=True)
    flat = torch.cat([slope.flatten() for slope in slopes])

    def multiply(vector: Tensor) -> Tensor:
        parts = torch.autograd.grad(
            flat @ vector, weights, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([part.flatten() for part in parts])

    return multiply, len(flat)


def largest_eigenvalue(multiply: Product, size: int, seed: int) -> float:
    """Return the largest eigenvalue of a symmetric matrix `[size, size]` by Lanczos iteration; it may be negative.

    Args:
        multiply: a function that multiplies the matrix with a vector `[size]`.
        size: the number of rows.
        seed: the seed of the first vector.
    """

    def apply(vector: NDArray[Any]) -> NDArray[Any]:
        return multiply(torch.from_numpy(vector.astype(np.float32).reshape(-1))).detach().cpu().double().numpy()

    start = np.random.RandomState([seed]).standard_normal(size)
    operator = LinearOperator((size, size), matvec=apply, dtype=np.dtype(np.float64))
    return float(eigsh(operator, k=1, which="LA", v0=start, tol=_PRECISE, return_eigenvectors=False)[0])


def shares_of_eigenvalues(multiply: Product, size: int, seed: int, largest: float) -> dict[str, float]:
    """Return the share of eigenvalues in each of `BINS`, by its name; all shares add up to 1.

    Args:
        multiply: a function that multiplies a symmetric matrix with a vector `[size]`.
        size: the number of rows of the matrix.
        seed: the seed of the random vectors.
        largest: the largest eigenvalue, above 0; if it is not, there are no shares.
    """
    if largest <= 0:
        return {}
    nodes, weights = spectral_measure(multiply, size, seed)
    places = nodes / largest
    return {name: float(weights[(low <= places) & (places < high)].sum()) for low, high, name in BINS}


def _scaled(multiply: Product, scale: Tensor) -> Product:
    return lambda vector: scale * multiply(scale * vector.to(scale))


def trace(multiply: Product, size: int, seed: int, draws: int = DRAWS) -> float:
    """Return Hutchinson's (1990) estimate of the trace of a symmetric matrix: the mean of z^T H z over random signs z.

    Args:
        multiply: a function that multiplies the matrix with a vector `[size]`.
        size: the number of rows.
        seed: the seed of the signs.
        draws: the number of vectors z.
    """
    generator = torch.Generator().manual_seed(seed)
    signs = (torch.randint(0, 2, (size,), generator=generator).float() * 2 - 1 for _ in range(draws))
    return float(np.mean([float((sign @ multiply(sign).cpu()).double()) for sign in signs]))


def _adam_scale(subject: Subject, labels: Tensor, loss: str, batch: int) -> Tensor:
    """Return the numbers by which Adam would divide a step at these weights, `[P]`, for random batches of a size."""
    gradients = subject.gradients[: len(labels)]
    predictions = subject.predict(subject.molecules(subject.train_index[: len(labels)]))
    slopes = slopes_of_loss(predictions, labels.to(predictions), loss)
    mean = slopes @ gradients / len(labels)
    square = slopes.square() @ gradients.square() / len(labels)
    return (mean.square() + (square - mean.square()).clamp(min=0) / batch).sqrt() + _EPSILON
