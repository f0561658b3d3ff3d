"""Which train molecules a model knows only because it was trained on them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.agreement import rank_correlation
from ibbench.probes.subject.subject import Subject
from ibbench.record.folder import WEIGHTS
from ibbench.record.predictions import Floats
from ibbench.training.replicas import PREDICTION_BATCH, Replicas
from ibbench.training.weights import read_weights

SCORE, CONTROL = "memorisation: MAE left out less MAE trained on", "the same, of molecules left out here, too"
OUT, IN = "MAE left out", "MAE trained on"
MEMORISED, AGREEING = "memorisation of single molecules", "rank correlation of the scores of two halves of the seeds"
_MOST = 10  # molecules that are listed
_FEWEST = 2  # seeds that have, and that lack, a molecule in either half, for it to be listed


class _Pool(NamedTuple):
    """Errors of all seeds on some molecules.

    Attributes:
        places: the molecules, int64 `[m]`.
        errors: absolute error of each seed on each, in the target's unit, `[S, m]`.
        inside: whether each seed was trained on each, bool `[S, m]`.
        row: the place of the seed that is looked at.
    """

    places: torch.Tensor
    errors: Floats
    inside: NDArray[np.bool_]
    row: int


@register("memorisation")
class Memorisation(Probe):
    """Memorisation score of train molecules, by the seeds that were trained on them and those that were not.

    Each seed draws its own train molecules from the pool. The score of a molecule is its mean absolute error in
    networks that were not trained on it, less that in networks that were: the estimate of Feldman & Zhang 2020
    (arXiv:2008.03703, equation 1), with errors in the place of wrong classes. It is near 0 where the other molecules
    tell the label as well, and high where the label had to be learned by heart: a rare molecule, or a wrong label.

    For each seed its own molecules are averaged: the mean error of the seeds that lack a molecule, less that of this
    seed. As a control the same is told of molecules that this seed lacks as well, the next ones that it would have
    drawn, and should be 0.

    Single molecules are listed where at least four seeds have a molecule and four lack it, which takes some ten seeds
    and a pool not much larger than the train size. One half of the seeds ranks the molecules, and the scores that are
    told of the highest ten are those of the other half, so that they are not high by having been chosen. The rank
    correlation of the two halves says how much of a score is chance.
    """

    summary = "which train molecules a model knows only because it was trained on them"
    needs = "forward"
    moments = ("trained",)
    headline = SCORE
    correlations = frozenset({AGREEING})
    signed = frozenset({SCORE, CONTROL, MEMORISED})
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at molecules of one seed, with the networks of all seeds.

        Raises:
            InputError: there is one seed, all seeds have the same molecules, or labels are altered.
        """
        check_seeds(subject, "memorisation")
        (target,), (unit,) = subject.targets, subject.units
        own, others = _pool(subject, of_seed=True), _pool(subject, of_seed=False)
        out, mine = left_out(own), own.errors[own.row]
        known = ~np.isnan(out)
        yield Finding(SCORE, "", float((out - mine)[known].mean()), unit, target)
        control = left_out(others) - others.errors[others.row]
        if not np.isnan(control).all():
            yield Finding(CONTROL, "", float(np.nanmean(control)), unit, target)
        yield Finding(OUT, "", float(out[known].mean()), unit, target)
        yield Finding(IN, "", float(mine[known].mean()), unit, target)
        if own.row == 0:
            yield from _list_molecules(subject, own, others)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the errors inside and outside of the train molecules, and the control."""
        if part:
            return ""
        control = f" (control: {figures[CONTROL].text})" if CONTROL in figures else ""
        return (
            f"{who}: molecules that a seed was not trained on have an MAE of {figures[OUT].text}, and of "
            f"{figures[IN].text} if it was: {figures[SCORE].text} of it is memorisation{control}"
        )


def check_seeds(subject: Subject, probe: str) -> None:
    """Refuse a study whose seeds do not tell what a network owes to single train molecules.

    Raises:
        InputError: there is one seed, all seeds have the same molecules, or labels are altered.
    """
    data, split = subject.point.config.data, subject.point.split.of_target(subject.targets[0])
    if data.labels != "true" or data.label_noise:
        raise InputError(f"`--probe {probe}` compares with true labels, and those of this study are altered")
    if len(subject.point.config.seeds) < 2:
        raise InputError(f"`--probe {probe}` compares seeds: expected a study with at least two")
    if split.train_size >= len(split.train_pool):
        raise InputError(
            f"`--probe {probe}` needs molecules that some seeds lack: all of these seeds were trained on the whole "
            "pool. Expected a smaller data.train_size"
        )


def left_out(pool: _Pool) -> Floats:
    """Return the mean error of each molecule, `[m]`, in the other seeds that lack it; NaN where there are none."""
    others = ~pool.inside
    others[pool.row] = False
    return _mean_where(pool.errors, others)


def _mean_where(errors: Floats, where: NDArray[np.bool_]) -> Floats:
    counts = where.sum(0)
    return np.where(counts > 0, (errors * where).sum(0) / counts.clip(min=1), np.nan)


def scores(errors: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Return the memorisation score of each molecule, `[m]`; NaN where fewer than two seeds have or lack it.

    Args:
        errors: absolute errors of each seed on each molecule, `[S, m]`.
        inside: whether each seed was trained on each, bool `[S, m]`.
    """
    enough = (inside.sum(0) >= _FEWEST) & ((~inside).sum(0) >= _FEWEST)
    return np.where(enough, _mean_where(errors, ~inside) - _mean_where(errors, inside), np.nan)


def _pool(subject: Subject, of_seed: bool) -> _Pool:
    """Return the errors of all seeds on train molecules of this seed, or on the next ones that it would have drawn."""
    split, target = subject.point.split.of_target(subject.targets[0]), subject.targets[0]
    seeds, size = subject.point.config.seeds, split.train_size
    longer = split._replace(train_size=min(size + subject.limit, len(split.train_pool)))
    index = subject.train_index if of_seed else longer.train_subset(subject.seed)[size:]
    inside = np.stack([np.isin(index.numpy(), split.train_subset(seed).numpy()) for seed in seeds])
    return _Pool(index, seed_errors(subject, target, index), inside, seeds.index(subject.seed))


def seed_errors(subject: Subject, target: str, index: torch.Tensor) -> Floats:
    """Return the absolute error of each seed's network on some molecules, in the target's unit, `[S, m]`."""
    assert subject.run is not None
    weights = read_weights(subject.run / WEIGHTS)
    facts, task = weights.facts, subject.task
    rows = [facts.replicas.index((target, seed)) for seed in subject.point.config.seeds]
    tensors = {name: tensor[rows] for name, tensor in weights.models.items()}
    models = Replicas.from_weights(
        facts.options, facts.padding, subject.point.config.seeds, tensors, torch.device("cpu")
    )
    normalised = models.predict(task.molecules.select(chunk).to("cpu") for chunk in index.split(PREDICTION_BATCH))
    scaling = type(weights.scaling)(*(tensor[rows] for tensor in weights.scaling))
    explained = scaling.explained(task.truth.composition, index)
    values = scaling.restore(normalised, task.truth.references(index), explained)
    return np.abs(values.numpy() - subject.truth(index))


def _list_molecules(subject: Subject, *pools: _Pool) -> Iterator[Finding]:
    (target,), (unit,) = subject.targets, subject.units
    index = torch.cat([pool.places for pool in pools])
    errors, inside = (np.concatenate([getattr(pool, name) for pool in pools], axis=1) for name in ("errors", "inside"))
    one, other = (scores(errors[half::2], inside[half::2]) for half in (0, 1))
    known = np.flatnonzero(~np.isnan(one) & ~np.isnan(other))
    if len(known) <= _MOST:
        return
    yield Finding(AGREEING, "", rank_correlation(one[known], other[known]), "", target)
    for place in known[np.argsort(-one[known], kind="stable")[:_MOST]]:
        yield Finding(MEMORISED, subject.point.dataset.smiles[int(index[place])], float(other[place]), unit, target)
