"""Learning curves: how the error of a model falls with labels, seconds or parameters, with its uncertainty."""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ibbench.baselines.pairs import is_pair
from ibbench.compare.estimate import estimate
from ibbench.compare.order import model_order, target_order
from ibbench.compare.pairs import Pairs
from ibbench.compare.rows import Entry, Key, Section, in_full
from ibbench.compare.statistics import Sample
from ibbench.compare.study import Study
from ibbench.errors import InputError, suggest
from ibbench.models import STANDARD_MODELS
from ibbench.options.words import Axis
from ibbench.worth.names import name_entries

AXES: dict[str, str] = {
    Axis.LABELS: "train molecules",
    Axis.SECONDS: "training seconds of a replica",
    Axis.PARAMETERS: "parameters",
}
NUM_DRAWS = 1000
_OF_BUDGET = ("budget.", "budget=", "model.width=", "model.hidden=")  # options that vary along a curve over parameters

_SAME_TIME = 1.1  # training times count as the same up to this factor, since timings vary

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """The errors of one model on one target, along an axis.

    Attributes:
        section: data source, hydrogens and split of the molecules.
        target: short name of the target.
        unit: unit of the target and of all errors.
        model: name of the model with its variant, or of a rung of a ladder.
        sizes: positions along the axis (labels, seconds or parameters), ascending, `[K]`.
        entries: rows of the study at these sizes, `K` of them.
    """

    section: Section
    target: str
    unit: str
    model: str
    sizes: Floats
    entries: tuple[Entry, ...]

    @property
    def samples(self) -> list[Sample]:
        """The test errors at each size."""
        return [entry.sample for entry in self.entries]

    @property
    def maes(self) -> Floats:
        """The MAE at each size, averaged over seeds, `[K]`."""
        return np.array([sample.mae for sample in self.samples])


def read_curves(study: Study, by: str = "labels") -> list[Curve]:
    """Gather the curves of a study that have at least two sizes; curves that can be compared follow each other.

    Pairs of a representation and a regression have curves over labels as models do; other baselines have none.

    Args:
        study: a study as read.
        by: axis of the curves, one of `AXES`. A curve over seconds keeps only trainings whose error is lower than that
            of all shorter trainings of the same model.

    Raises:
        InputError: there is no such axis, or no model was trained at two sizes of it.
    """
    if by not in AXES:
        raise InputError(f"--by `{by}` is not possible: {suggest(by, AXES)}")
    found: dict[tuple[Section, str, str, str], list[tuple[float, Entry]]] = {}
    names = name_entries(study.entries)
    for entry in study.entries:
        group = entry.key.group
        has_no_curve = entry.key.is_baseline and not (is_pair(entry.key.model) and by == "labels")
        if has_no_curve or not (entry.sample.maes > 0).all():
            continue
        key = (group.section, group.target, group.unit, _name(entry, *names[entry.key], by))
        found.setdefault(key, []).append((_size(entry, by), entry))
    curves = []
    for key, points in found.items():
        points.sort(key=lambda point: point[0])
        kept = _cheapest(points) if by == "seconds" else points
        if len(kept) > 1:
            sizes, entries = zip(*kept, strict=True)
            curves.append(Curve(*key, np.array(sizes), entries))
    if not curves:
        wanted = "data.train_size=500,1000,2000" if by != "parameters" else "budget.value=25000,50000,100000"
        raise InputError(
            f"{study.name} has no curve: expected a model trained at two sizes or more, such as by "
            f"`ibbench train name={study.name} {wanted}`"
        )
    return sorted(curves, key=_order)


def _name(entry: Entry, name: str, variant: str, by: str) -> str:
    if by != "parameters":
        return name
    rest = " ".join(word for word in variant.split() if not word.startswith(_OF_BUDGET))
    rest = f"{rest} {entry.key.group.train_size:,} molecules".strip()
    return in_full(entry.rung.name if entry.rung else entry.key.model, rest)


def _cheapest(points: list[tuple[float, Entry]]) -> list[tuple[float, Entry]]:
    """Keep the trainings whose error is lower than that of all shorter ones.

    Of trainings that take nearly the same time, the one with the lowest error stands at the shortest of these times.
    """
    kept: list[tuple[float, Entry]] = []
    for seconds, entry in points:
        if kept and entry.sample.mae >= kept[-1][1].sample.mae:
            continue
        if kept and seconds <= _SAME_TIME * kept[-1][0]:
            kept[-1] = (kept[-1][0], entry)
        else:
            kept.append((seconds, entry))
    return kept


def _size(entry: Entry, by: str) -> float:
    if by == "labels":
        return float(entry.key.group.train_size)
    if by == "parameters":
        return float(entry.cost.parameters)
    assert entry.cost.train_seconds is not None  # every trained model has them
    return entry.cost.train_seconds / len(entry.replicas)


def _order(curve: Curve) -> tuple[object, ...]:
    entry = curve.entries[0]
    place = (entry.rung.number,) if entry.rung else model_order(entry.key.model)
    return (curve.section, target_order(curve.target), curve.unit, bool(entry.rung), place, curve.model)


def comparable(curves: Sequence[Curve]) -> list[list[Curve]]:
    """Divide curves into groups that can be compared: those of the same molecules, target and unit."""
    groups: dict[tuple[Section, str, str], list[Curve]] = {}
    for curve in curves:
        groups.setdefault((curve.section, curve.target, curve.unit), []).append(curve)
    return list(groups.values())


def neighbours(curves: Sequence[Curve]) -> Iterator[tuple[Curve, Curve]]:
    """Yield the pairs of curves of one group whose difference is a step: each with the one before it.

    Rungs of a ladder are paired with the rung that they differ from in one assumption, if both have the same options
    otherwise, models with the standard model before them, and others with the curve before them.
    """
    rungs = {curve.model: curve for curve in curves if curve.entries[0].rung}
    if rungs:
        for curve in rungs.values():
            rung = curve.entries[0].rung
            before = rungs.get(f"{rung.after}{curve.model.removeprefix(rung.name)}") if rung else None
            if before:
                yield curve, before
        return
    plain = [curve for curve in curves if curve.model in STANDARD_MODELS]
    yield from itertools.pairwise(plain if len(plain) > 1 else curves)


def rests_on(curve: Curve, size: float, faulty: set[Key]) -> bool:
    """Whether the error of a curve at a size comes from a faulty row; beyond its ends the row at the end counts."""
    right = int(np.clip(np.searchsorted(curve.sizes, size), 0, len(curve.sizes) - 1))
    exact = curve.sizes[right] == size or right == 0 or size > curve.sizes[-1]
    used = curve.entries[right : right + 1] if exact else curve.entries[right - 1 : right + 1]
    return any(entry.key in faulty for entry in used)


def corrected_p(a: Curve, b: Curve, at: float, tested: Pairs) -> float:
    """Return the corrected p-value of two curves at a size that both were trained at; NaN if there is none."""
    entries_a, entries_b = (dict(zip(curve.sizes.tolist(), curve.entries, strict=True)) for curve in (a, b))
    if at not in entries_a or at not in entries_b:
        return math.nan
    one, other = entries_a[at].key, entries_b[at].key
    pair = tested.get((one, other)) or tested.get((other, one))
    return math.nan if pair is None or pair.p_holm is None else pair.p_holm


def draw_curves(curves: Sequence[Curve], num_draws: int = NUM_DRAWS, stream: int = 0) -> list[Floats]:
    """Draw the logarithms of the MAEs of several curves as they might have been with other seeds and test molecules.

    This is a multiplier bootstrap over seeds and molecules at once. Every seed and every molecule gets a random weight,
    which is the same in all curves and at all sizes, because a seed gives all models the same train subset. A mean over
    few seeds varies more than their scatter shows, so the part that seeds contribute is widened by the ratio of
    Student's t to the normal distribution. For a difference of means the percentiles of the draws are then the
    intervals of `ibbench.compare.statistics`; the draws give such intervals for other figures, too. With one seed only
    molecules vary; without predictions only seeds vary; for one seed without predictions nothing is known.

    Args:
        curves: all curves that are to be compared with each other.
        num_draws: number of draws, D.
        stream: number of the stream of random numbers; another one for curves of other molecules, whose seeds have
            nothing to do with each other.

    Returns:
        Draws of the natural logarithms of the MAEs of each curve, `[D, K]`; NaN where nothing is known.
    """
    random = np.random.RandomState(stream)
    seeds = sorted({seed for curve in curves for sample in curve.samples for seed in sample.seeds})
    weight_of = dict(zip(seeds, random.standard_normal((len(seeds), num_draws)), strict=True))
    rank = random.uniform(size=num_draws)
    molecules: dict[int, NDArray[np.float32]] = {}

    @functools.cache
    def widening(degrees: int) -> Floats:
        """Return the factors by which Student's t is wider than the normal distribution, `[num_draws]`."""
        return np.sqrt(degrees / (2 * special.gammaincinv(degrees / 2, rank)))  # 2 gammaincinv: chi-square quantile

    def of_seeds(sample: Sample) -> Floats:
        """Draw what other seeds would add to the logarithm of the MAE, `[num_draws]`; nothing with one seed."""
        count = len(sample.seeds)
        if count == 1:
            return np.zeros(num_draws)
        logarithms = np.log(sample.maes)
        deviations = (logarithms - logarithms.mean()) / np.sqrt(count * (count - 1))
        weights = np.stack([weight_of[seed] for seed in sample.seeds])
        return deviations @ weights * widening(count - 1)

    def of_molecules(sample: Sample) -> Floats:
        """Draw what other test molecules would add to the logarithm of the MAE, `[num_draws]`."""
        if sample.errors is None or sample.errors.shape[1] == 1:
            return np.full(num_draws, 0.0 if len(sample.seeds) > 1 else np.nan)
        parts = sample.errors / sample.maes[:, None]
        each = parts.mean(0) - 1
        count = len(each)
        if count not in molecules:
            molecules[count] = random.standard_normal((num_draws, count)).astype(np.float32)
        # Part of the spread over molecules comes from the seeds: `of_seeds` counts that part.
        share = estimate(np.log(sample.maes), parts).molecule_variance / (each.var(ddof=1) / count or 1.0)
        return molecules[count] @ (each * np.sqrt(share / (count * (count - 1)))).astype(np.float32)

    return [
        np.stack([np.log(sample.mae) + of_seeds(sample) + of_molecules(sample) for sample in curve.samples], axis=1)
        for curve in curves
    ]


def interval(draws: Floats) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a figure from its draws `[D]`; an end is infinite where draws are."""
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)
