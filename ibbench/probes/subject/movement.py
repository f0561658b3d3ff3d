"""How the tangent kernel moves in a training, and what the last kernel knows that the first did not."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from ibbench.probes.subject.jacobian import gram
from ibbench.probes.subject.replay import Stage, retrain
from ibbench.probes.subject.ridge import RIDGES, Floats, decompose
from ibbench.probes.subject.subject import Subject

LOOKS = 8  # kernels that are looked at along a training, beside that of the first weights
MOLECULES = 500  # validation molecules that choose a ridge, and test molecules that an error is measured on
_CHUNK = 100  # molecules whose gradients are kept at a time
_NEARLY = 1e-9


def distance(first: Floats, kernel: Floats) -> float:
    """Return the Frobenius norm of the difference of two kernels `[n, n]` over that of the first."""
    return float(np.linalg.norm(kernel - first) / np.linalg.norm(first))


def centred_alignment(one: Floats, other: Floats) -> float:
    """Return the alignment of two kernels `[n, n]`: 1 if they are equal up to a factor and a constant.

    With the kernels centred (H K H, H = I - 1/n) it is their scalar product over the product of their norms (Cortes et
    al. 2012, JMLR 13, 795; the same as linear CKA, Kornblith et al. 2019, arXiv:1905.00414). NaN if one of them is
    constant.
    """
    one, other = (kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean() for kernel in (one, other))
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / norm if norm else float("nan")


class Look(NamedTuple):
    """A kernel along a training.

    Attributes:
        share: the share of the steps after which it is looked at.
        kernel: the tangent kernel of the train molecules, `[n, n]`.
        network: the model with the weights of that moment.
    """

    share: float
    kernel: Floats
    network: Subject


class Course(NamedTuple):
    """A training that was done again.

    Attributes:
        looks: the kernels along it, the first one before the first step, the last one after the last step.
        stages: all validations, the first one before the first step; their weights are those of the end.
    """

    looks: list[Look]
    stages: list[Stage]


def follow(subject: Subject) -> Course:
    """Train one replica again, and look at its kernel before the first step and about eight times on the way.

    Args:
        subject: the model, with a single target.

    Raises:
        InputError: the training cannot be done again, see `ibbench.probes.subject.replay.retrain`.
        DivergedError: the loss is no longer finite.
    """
    looks: list[Look] = []
    stages: list[Stage] = []
    due, last = 0.0, subject
    for stage in retrain(subject):
        stages.append(stage)
        last = subject.with_weights(stage.models)
        if stage.share >= due - _NEARLY:
            looks.append(Look(stage.share, last.kernel, last.without_gradients()))
            due = (int(stage.share * LOOKS + _NEARLY) + 1) / LOOKS
    if looks[-1].share < stages[-1].share:
        looks.append(Look(stages[-1].share, last.kernel, last.without_gradients()))
    return Course(looks, stages)


def errors_of_kernel(look: Look) -> Floats:
    """Return the absolute errors of the regression with a kernel on test molecules, in the target's unit, `[m]`.

    The regression is fitted to all train molecules; its ridge is that of the least squared error on validation
    molecules, since the train labels have had a part in a kernel along a training.
    """
    network = look.network
    constant = max(float(look.kernel.mean()), 0.0)
    spectrum = decompose(look.kernel + constant)
    labels = spectrum.vectors.T @ network.labels[0]
    ridges = RIDGES * spectrum.values.mean()
    chosen_on, measured_on = (index[:MOLECULES] for index in (network.point.split.validation, network.point.split.test))
    across = spectrum.vectors.T @ (_across(network, chosen_on) + constant)
    weights = [labels / (spectrum.values + ridge) for ridge in ridges]
    truth = network.normalised(chosen_on)[0]
    best = int(np.argmin([np.square(one @ across - truth).mean() for one in weights]))
    predicted = weights[best] @ (spectrum.vectors.T @ (_across(network, measured_on) + constant))
    return _errors(network, predicted, measured_on)


def errors_of_network(look: Look) -> Floats:
    """Return the absolute errors of the network itself on the same test molecules, in the target's unit, `[m]`."""
    index = look.network.point.split.test[:MOLECULES]
    return _errors(look.network, look.network.predict(look.network.molecules(index)).double().cpu().numpy(), index)


def _errors(network: Subject, predicted: Floats, index: Tensor) -> Floats:
    restored = network.to_units(predicted[None], index)
    return np.asarray(np.abs(restored - network.truth(index))[0])


def _across(network: Subject, index: Tensor) -> Floats:
    """Return the tangent kernel of train molecules with others, `[n, m]`; gradients of few are kept at a time."""
    gradients = network.gradients
    columns = [gram(gradients, network.gradients_of(chunk)).cpu().numpy() for chunk in index.split(_CHUNK)]
    return np.concatenate(columns, axis=1)
