"""How sharply the loss bends around the weights, and whether the steps of the optimizer are stable there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from ibbench.options.groups import AdamOptions
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.coherence import slopes_of_loss
from ibbench.probes.subject.subject import Subject
from ibbench.training.optim import LOSSES

MOLECULES = 200  # whose mean loss it is
DRAWS = 32  # of the trace
SHARPNESS, TRACE = "largest eigenvalue", "trace"
PRECONDITIONED, LIMIT = "largest eigenvalue, preconditioned", "preconditioned / largest that is stable"
_EPSILON = 1e-8  # of Adam
_PRECISE = 1e-3  # relative, of an eigenvalue

Product = Callable[[Tensor], Tensor]  # of the Hessian with a vector, `[P]` to `[P]`


@register("curvature")
class Curvature(Probe):
    """Hessian of the mean loss of some train molecules with respect to all weights: its largest eigenvalue and trace.

    The eigenvalue is Lanczos' (ARPACK), the trace Hutchinson's (1990): the mean of z^T H z over 32 draws of random
    signs, with an error of some per cent. Gradient descent with rate eta is stable up to an eigenvalue of 2 / eta. Adam
    scales each weight: what counts for it is the largest eigenvalue of P^-1/2 H P^-1/2, with P the root of the mean
    square of batches' gradients, and its limit is (2 + 2 beta1) / ((1 - beta1) eta), which is 38 / eta at beta1 = 0.9
    (Cohen et al. 2022, arXiv:2207.14484). Trainings of whole batches go up to the limit and stay there; those of small
    batches stay below.

    P is not recorded: here it is that of random batches at these very weights, (mean g)^2 + variance of g / batch,
    where Adam's is a mean over steps of the past. The rate is that of the recipe before its schedule. The loss is that
    of the recipe: an absolute error has no curvature of its own, only that of the model, and its kinks are not seen. A
    flat minimum is not a better one: the same function can be written with sharp and with flat weights (Dinh et al.
    2017, arXiv:1703.04933), so do not rank models by it.
    """

    summary = "how sharply the loss bends around the weights, and whether steps of the learning rate are stable there"
    needs = "jacobian"
    moments = ("init", "trained")
    headline = SHARPNESS
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure the loss of each target."""
        config = subject.point.config
        index = subject.train_index[:MOLECULES]
        for target, labels in zip(subject.targets, subject.labels, strict=True):
            row = torch.from_numpy(labels[: len(index)]).float()
            multiply, size = hessian_of_loss(subject, index, row, config.loss)
            yield Finding(SHARPNESS, "", largest_eigenvalue(multiply, size, subject.seed), "", target)
            yield Finding(TRACE, "", trace(multiply, size, subject.seed), "", target)
            if isinstance(config.optimizer, AdamOptions):
                batch = min(config.trainer.batch_size, subject.point.split.train_size)
                scale = _adam_scale(subject, row, config.loss, batch).rsqrt()
                found = largest_eigenvalue(_scaled(multiply, scale), size, subject.seed)
                beta, rate = config.optimizer.beta1, config.optimizer.lr
                yield Finding(PRECONDITIONED, "", found, "", target)
                yield Finding(LIMIT, "", found / ((2 + 2 * beta) / ((1 - beta) * rate)), "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:  # noqa: ARG002 (there is one)
        """Tell the eigenvalue, and whether the steps are stable."""
        sentence = f"{who}: the loss bends by up to {figures[SHARPNESS].text}, {figures[TRACE].text} in all directions"
        if LIMIT in figures:
            sentence += f"; scaled as by Adam that is {figures[LIMIT].text} of what its steps are stable at"
        return sentence


def hessian_of_loss(subject: Subject, index: Tensor, labels: Tensor, loss: str) -> tuple[Product, int]:
    """Return the product of the Hessian of the mean loss with any vector, and the number of weights.

    Args:
        subject: the model.
        index: the molecules, `[m]`.
        labels: normalised, float32 `[m]`.
        loss: the name of the loss.
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
    """Return the largest eigenvalue of a symmetric matrix `[size, size]`, from its products; it may be negative."""

    def apply(vector: NDArray[Any]) -> NDArray[Any]:
        return multiply(torch.from_numpy(vector.astype(np.float32).reshape(-1))).detach().cpu().double().numpy()

    start = np.random.RandomState([seed]).standard_normal(size)
    operator = LinearOperator((size, size), matvec=apply, dtype=np.dtype(np.float64))
    return float(eigsh(operator, k=1, which="LA", v0=start, tol=_PRECISE, return_eigenvectors=False)[0])


def _scaled(multiply: Product, scale: Tensor) -> Product:
    return lambda vector: scale * multiply(scale * vector.to(scale))


def trace(multiply: Product, size: int, seed: int, draws: int = DRAWS) -> float:
    """Return Hutchinson's estimate of the trace of a symmetric matrix: the mean of z^T H z over random signs z."""
    generator = torch.Generator().manual_seed(seed)
    signs = (torch.randint(0, 2, (size,), generator=generator).float() * 2 - 1 for _ in range(draws))
    return float(np.mean([float((sign @ multiply(sign).cpu()).double()) for sign in signs]))


def _adam_scale(subject: Subject, labels: Tensor, loss: str, batch: int) -> Tensor:
    """Return what Adam would divide a step by at these weights, `[P]`, from the gradients of single molecules."""
    gradients = subject.gradients[: len(labels)]
    predictions = subject.predict(subject.molecules(subject.train_index[: len(labels)]))
    slopes = slopes_of_loss(predictions, labels.to(predictions), loss)
    mean = slopes @ gradients / len(labels)
    square = slopes.square() @ gradients.square() / len(labels)
    return (mean.square() + (square - mean.square()).clamp(min=0) / batch).sqrt() + _EPSILON
