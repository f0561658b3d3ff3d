"""The codes of models that restore molecules, and those of principal components of the same molecules."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibbench.baselines.reconstruction.pca import Components, find_components
from ibbench.models.registry import get_model
from ibbench.options.model import AutoencoderOptions
from ibbench.probes.subject.subject import Subject
from ibbench.training.replicas import PREDICTION_BATCH

Floats = NDArray[np.float64]


def has_code(subject: Subject) -> bool:
    """Return whether the model of a subject restores molecules from a code."""
    return bool(get_model(subject.point.config.model.name).reconstructs)


def num_code(subject: Subject) -> int:
    """Return the number d of numbers in the code of a model that has one."""
    options = subject.point.resolved.model
    assert isinstance(options, AutoencoderOptions)
    return options.latent


@torch.no_grad()
def codes(subject: Subject, index: Tensor) -> Floats:
    """Return the codes of the molecules with these indices `[m]`, `[m, d]`."""
    module = subject.module()
    chunks = index.split(PREDICTION_BATCH)
    return torch.cat([module.states(subject.inputs(chunk)).double().cpu() for chunk in chunks]).numpy()


def components(subject: Subject) -> Components:
    """Return as many principal components as the code has numbers, of all train molecules of the subject's seed."""
    dataset = subject.point.dataset
    return find_components(dataset.molecules.select(subject.task.subsets[0].cpu()), num_code(subject))


def ridge(vectors: Floats, labels: Floats, asked: Floats) -> Floats:
    """Fit a ridge regression to n labels, and predict molecules that it is asked for, `[m]`.

    Columns are divided by their standard deviation over all vectors that are known without labels, beforehand; here
    they are only centred. Of 17 penalties, from 1e-5 to 1e3 times the mean square of a vector, the one is taken with
    the least mean absolute error of labels that are left out one at a time (Allen 1974).

    Args:
        vectors: the vectors of the labelled molecules, `[n, V]`.
        labels: their labels, `[n]`.
        asked: the vectors of other molecules, `[m, V]`.
    """
    mean, centre = vectors.mean(0), labels.mean()
    left, singular, right = np.linalg.svd(vectors - mean, full_matrices=False)
    projected = left.T @ (labels - centre)
    best: tuple[float, Floats] = (np.inf, np.zeros(len(singular)))
    for penalty in np.geomspace(1e-5, 1e3, 17) * max(float(singular @ singular), 1e-12):
        kept = singular**2 / (singular**2 + penalty)
        leverage = (left**2 * kept).sum(1) + 1 / len(labels)
        residuals = (labels - centre - left @ (kept * projected)) / (1 - leverage).clip(min=1e-12)
        error = float(np.abs(residuals).mean())
        if error < best[0]:
            best = error, singular / (singular**2 + penalty) * projected
    return np.asarray(centre + (asked - mean) @ (right.T @ best[1]))
