"""The codes of models that restore molecules, and those of principal components of the same molecules."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibbench.baselines.reconstruction.pca import Components, find_components
from ibbench.data.dataset import DataSet
from ibbench.data.itself import is_itself
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.options.model import AutoencoderOptions
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.subject import Subject
from ibbench.training.replicas import PREDICTION_BATCH

Floats = NDArray[np.float64]
USUAL = ("gap", "alpha")  # targets of QM9 that codes are asked for; of other data sets the first one


class CodeMap(NamedTuple):
    """The codes of some molecules as points of a plane, for a picture.

    Attributes:
        name: name of the model.
        target: short name of the property that colours the points.
        unit: its unit.
        plane: the two directions of most variance of the codes, or the codes themselves if they have two, `[m, 2]`.
        values: the property of each molecule, `[m]`.
    """

    name: str
    target: str
    unit: str
    plane: Floats
    values: Floats


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


def lay_out(candidates: Sequence[Candidate], limit: int) -> list[CodeMap]:
    """Lay out the codes of test molecules, for the trained weights of the first seed of each model that has a code.

    Args:
        candidates: the models; those without a code are left out.
        limit: the largest number of molecules.
    """
    maps = []
    for one in candidates:
        config, dataset = one.point.config, one.point.dataset
        subject = Subject(one.point, config.seeds[0], config.targets, "trained", limit, one.run, one.record)
        if not has_code(subject) or num_code(subject) < 2:
            continue
        target = asked_targets(dataset)[0]
        index, column = subject.test_index, dataset.column(target)
        code = codes(subject, index)
        if code.shape[1] > 2:
            centred = code - code.mean(0)
            code = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        values = dataset.values[index, column].numpy()
        maps.append(CodeMap(one.name, target, dataset.targets[column].unit, code, values))
    return maps


def asked_targets(dataset: DataSet) -> list[str]:
    """List the properties that codes are asked for: gap and alpha of QM9, else the first number of the data set.

    Raises:
        InputError: the data set has no number to ask for.
    """
    names = [one.name for one in dataset.targets if not (one.is_class or is_itself(dataset, one.name))]
    if not names:
        raise InputError("`--probe latent` asks for a number that the data set has, and this one has classes only")
    return [name for name in USUAL if name in names] or names[:1]
