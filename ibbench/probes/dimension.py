"""Intrinsic dimension: how many dimensions molecules fill as inputs, and as states after each layer."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.states import name_of_layer, pooled_states
from ibbench.probes.subject.subject import Subject

INPUTS = "inputs"
TWO_NN, LAST, RATIO = "TwoNN dimension", "the same after all layers", "participation ratio"
WIDTH = "numbers per molecule"
_TRIMMED = 0.1  # share of the points that is left out, those with the largest ratios of distances
_FEWEST = 10  # different points that the estimate needs at least
_SAME = 1e-5  # distance up to which two points count as one, over the size of points; 100 times float32's rounding


@register("dimension")
class Dimension(Probe):
    """Intrinsic dimension of the train molecules as inputs, and of their pooled states after each layer.

    TwoNN (Facco et al. 2017, doi:10.1038/s41598-017-11873-y) uses only the distances of each point to its two nearest
    neighbours. In d dimensions the ratio mu of these distances has the cumulative distribution 1 - mu^-d, if the
    density of points is nearly constant up to the second neighbour. So d is the slope of -log(1 - rank / n) against
    log(mu), on a line through the origin. As in the article, the tenth of the points with the largest ratios is left
    out, and points that coincide count as one.

    The participation ratio of the eigenvalues l of the covariance, (sum l)^2 / sum l^2, counts directions of equal
    variance: a line that bends through many directions has a TwoNN dimension of 1, but a large participation ratio.

    Inputs are all numbers that the model is given of a molecule: standardised features of the atoms in their given
    order, one-hot bonds or tokens, coordinates in angstrom. So another order of the atoms is another point. Distances
    between inputs have only few different values, which makes TwoNN inexact. Above about 10 dimensions it is too low
    for 1,000 points: in a cube of 20 dimensions it finds about 15. So compare layers and models, and do not take a
    single figure literally. A low dimension does not mean a low error.
    """

    summary = "of how many dimensions molecules are as inputs, and as the states after each layer"
    needs = "forward"
    moments = ("init", "trained")
    headline = TWO_NN
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the train molecules."""
        target = subject.targets[0] if subject.moment == "trained" else ""
        index = subject.train_index
        points = {INPUTS: _inputs(subject)}
        for depth in range(subject.point.resolved.model.depth + 1):
            points[name_of_layer(depth)] = pooled_states(subject, index, depth)
        found = {part: two_nn(rows.double().cpu()) for part, rows in points.items()}
        for part, rows in points.items():
            if not math.isnan(found[part]):
                yield Finding(TWO_NN, part, found[part], "", target)
            if part == INPUTS and not math.isnan(found[name_of_layer(depth)]):
                yield Finding(LAST, part, found[name_of_layer(depth)], "", target)
            yield Finding(RATIO, part, participation_ratio(rows.double()), "", target)
            yield Finding(WIDTH, part, float(rows.shape[1]), "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the dimension of inputs, and of the states after all layers."""
        if part != INPUTS or not {TWO_NN, LAST} <= figures.keys():
            return ""
        before, after = figures[TWO_NN].text, figures[LAST].text
        return f"{who}: inputs have {before} dimensions by their nearest neighbours, states after all layers {after}"


def _inputs(subject: Subject) -> Tensor:
    """Return all numbers that the model is given of each molecule, `[n, V]`."""
    molecules = subject.inputs(subject.train_index)
    columns = [molecules.atoms.flatten(1)]
    for codes in (molecules.bonds, molecules.tokens):
        if codes.numel():
            kinds = codes.unique()
            columns.append((codes.flatten(1)[..., None] == kinds).flatten(1).float())
    if molecules.positions.numel():
        columns.append(molecules.positions.flatten(1))
    return torch.cat(columns, dim=1)


def two_nn(points: Tensor) -> float:
    """Return the TwoNN dimension of points `[n, V]` (Facco et al. 2017); NaN if fewer than 10 points differ."""
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    same = distances <= _SAME * points.square().sum(1).mean().sqrt()
    distinct = ~same.tril(-1).any(1)  # keeps the first of several points that coincide
    if distinct.sum() < _FEWEST:
        return math.nan
    distances = distances[distinct][:, distinct].fill_diagonal_(math.inf)
    near = distances.topk(2, largest=False).values.numpy()
    logs = np.sort(np.log(near[:, 1] / near[:, 0]))
    kept = int(len(logs) * (1 - _TRIMMED))
    x, y = logs[:kept], -np.log1p(-np.arange(1, kept + 1) / len(logs))
    return float(x @ y / (x @ x)) if x.any() else math.nan


def participation_ratio(points: Tensor) -> float:
    """Return the participation ratio (sum l)^2 / sum l^2 of the eigenvalues l of the covariance of points `[n, V]`.

    It is 0 if all points are equal.
    """
    centred = points - points.mean(0)
    narrow = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    squares = float(narrow.square().sum())
    return float(narrow.trace()) ** 2 / squares if squares else 0.0
