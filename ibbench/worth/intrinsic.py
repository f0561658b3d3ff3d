"""How many dimensions a training needs: from trainings in random subspaces beside the training of all weights."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ibbench.compare.columns import interval, shared
from ibbench.compare.pairs import by_group
from ibbench.compare.rows import Entry, Section
from ibbench.compare.soundness import measure_doubling
from ibbench.compare.study import Study
from ibbench.compare.variants import NOT_VARIANTS, describe, find_variants_of, typed
from ibbench.worth.curves import Floats

SUBSPACE, MEAN = "trainer.subspace", "mean"
GOAL = 0.9  # share of the performance of the training of all weights, as Li et al. 2018 chose it
COLUMNS = {
    **shared("target", "unit", "train_size", "model", "variant", "num_seeds"),
    "parameters": "weights of the model, all of which the full training trains",
    "mae_of_mean": "MAE of predicting the mean of the train labels, averaged over seeds",
    "mae_of_all": "MAE of the training of all weights, averaged over seeds",
    **interval("dimensions", "dimensions in which a training gets 90 % of the way between these two"),
    "fewest": "the fewest dimensions that were trained; fewer than these are told as 0",
    "most": "the most dimensions that were trained; more than these are told as `inf`",
    "caution": "which of the trainings around that place have not converged; empty if none, or if it was not measured",
    **shared(*Section._fields),
}


class Intrinsic(NamedTuple):
    """One model that was trained in subspaces, on one target and train size.

    Attributes:
        whole: the row of the training of all weights.
        variant: the options in which it differs from others of the study, but for its subspace.
        dimensions: the dimensions that were trained, ascending, `[K]`.
        entries: the rows of these trainings, `K` of them.
        shares: the performance of each seed, as a share of that of all weights, `[S, K]`; NaN where the network is no
            better than the mean with all its weights.
        seeds: the seeds that all of these rows have, `S` of them.
        mean: MAE of predicting the mean of the train labels, `[S]`.
        value: the dimensions of the goal; 0 if the fewest reach it, infinite if the most do not, NaN without shares.
        low: lower end of its 95 % interval over seeds; None if there is none.
        high: upper end of that interval.
    """

    whole: Entry
    variant: str
    dimensions: Floats
    entries: tuple[Entry, ...]
    shares: Floats
    seeds: tuple[int, ...]
    mean: Floats
    value: float
    low: float | None
    high: float | None

    def row(self) -> dict[str, Any]:
        """Return the figures with `COLUMNS`."""
        group = self.whole.key.group
        return {
            "target": group.target,
            "unit": group.unit,
            "train_size": group.train_size,
            "model": self.whole.key.model,
            "variant": self.variant,
            "num_seeds": len(self.seeds),
            "parameters": self.whole.cost.parameters,
            "mae_of_mean": float(self.mean.mean()),
            "mae_of_all": float(_maes(self.whole, self.seeds).mean()),
            "dimensions": self.value,
            "dimensions_low": self.low,
            "dimensions_high": self.high,
            "fewest": int(self.dimensions[0]),
            "most": int(self.dimensions[-1]),
            "caution": self._caution(),
            **group.section._asdict(),
        }

    def _caution(self) -> str:
        if math.isnan(self.value):
            return ""
        place = int(np.searchsorted(self.dimensions, self.value))
        near = [("all weights", self.whole)]
        near += [
            (f"{self.dimensions[at]:,.0f} dimensions", self.entries[at])
            for at in (place - 1, place)
            if 0 <= at < len(self.entries)
        ]
        falling = [name for name, entry in near if (found := measure_doubling(entry.replicas)) and found.falls]
        return f"not converged: {', '.join(falling)}" if falling else ""


def find_intrinsic(study: Study) -> list[Intrinsic]:
    """Find the models of a study that were trained in subspaces and with all weights; one subspace gives a bound.

    The performance of a training is how far it lowers the error of predicting the mean of the train labels, for each
    seed by itself: (MAE of the mean - MAE) / (MAE of the mean - MAE of the training of all weights). It is 0 for a
    training that is no better than the mean, and 1 for one as good as that of all weights. The dimensions of the goal
    are where it reaches 0.9, between the trainings by interpolation on the logarithm of the dimensions. As more
    dimensions can only help, chance apart, it is first replaced by the nearest function that does not fall (isotonic
    regression). Intervals are over seeds, by Student's t on logarithms.

    The subspace must be the only option in which these rows differ. Where a seed is no better than the mean with all
    its weights, nothing can be told.
    """
    found = []
    for group in by_group(study.entries).values():
        baseline = next((one for one in group if one.key.is_baseline and one.key.model == MEAN), None)
        trained = [entry for entry in group if not entry.key.is_baseline]
        if baseline is None or not any(SUBSPACE in entry.options for entry in trained):
            continue
        found += [one for rows in _alike(trained) if (one := _measure(*rows, baseline))]
    return found


def _alike(entries: list[Entry]) -> Iterator[tuple[str, Entry, list[Entry]]]:
    """Yield a variant, the training of all weights, and those in subspaces, for each model and its other options."""
    others = [
        {name: value for name, value in entry.options.items() if name not in {SUBSPACE, *NOT_VARIANTS}}
        for entry in entries
    ]
    variants = find_variants_of(
        [options | {"model.name": entry.key.model} for options, entry in zip(others, entries, strict=True)]
    )
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry, options, variant in zip(entries, others, variants, strict=True):
        told = describe({name: value for name, value in variant.items() if name != SUBSPACE})
        key = entry.key.model + repr(sorted((name, typed(value)) for name, value in options.items()))
        rows.setdefault((key, told), []).append(entry)
    for (_, told), alike in rows.items():
        inside = sorted((one for one in alike if SUBSPACE in one.options), key=lambda one: one.options[SUBSPACE])
        whole = next((one for one in alike if SUBSPACE not in one.options), None)
        if whole and inside:
            yield told, whole, inside


def _measure(variant: str, whole: Entry, inside: list[Entry], baseline: Entry) -> Intrinsic | None:
    seeds = sorted(set.intersection(*(set(entry.sample.seeds) for entry in (whole, baseline, *inside))))
    if not seeds:
        return None
    mean, full = _maes(baseline, seeds), _maes(whole, seeds)
    dimensions = np.array([float(entry.options[SUBSPACE]) for entry in inside])
    if (full >= mean).any():
        unknown = np.full((len(seeds), len(inside)), math.nan)
        return Intrinsic(whole, variant, dimensions, tuple(inside), unknown, tuple(seeds), mean, math.nan, None, None)
    shares = np.stack([(mean - _maes(entry, seeds)) / (mean - full) for entry in inside], axis=1)
    reached = [reach(dimensions, of_seed) for of_seed in shares]
    known = all(0 < each < math.inf for each in reached)
    low = high = None
    if known:
        value, low, high = _average(np.log(reached))
    else:
        value = reach(dimensions, shares.mean(0))
    return Intrinsic(whole, variant, dimensions, tuple(inside), shares, tuple(seeds), mean, value, low, high)


def _maes(entry: Entry, seeds: list[int] | tuple[int, ...]) -> Floats:
    known = dict(zip(entry.sample.seeds, entry.sample.maes.tolist(), strict=True))
    return np.array([known[seed] for seed in seeds])


def _average(logarithms: Floats) -> tuple[float, float | None, float | None]:
    """Return a mean with the ends of its 95 % interval, from logarithms of the figures of seeds."""
    from scipy import special

    centre, count = float(logarithms.mean()), len(logarithms)
    if count == 1:
        return math.exp(centre), None, None
    wide = float(special.stdtrit(count - 1, 0.975)) * float(logarithms.std(ddof=1)) / math.sqrt(count)
    return math.exp(centre), math.exp(centre - wide), math.exp(centre + wide)


def reach(dimensions: Floats, shares: Floats) -> float:
    """Return the dimensions at which a performance reaches the goal of 0.9.

    Args:
        dimensions: the dimensions that were trained, ascending, `[K]`.
        shares: the performance at each, `[K]`.

    Returns:
        The dimensions; 0 if the fewest reach the goal, infinite if the most do not.
    """
    from scipy.optimize import isotonic_regression

    rising = isotonic_regression(shares).x
    place = int(np.searchsorted(rising, GOAL))
    if place == 0:
        return 0.0
    if place == len(rising):
        return math.inf
    (before, after), (less, more) = np.log(dimensions[place - 1 : place + 1]), rising[place - 1 : place + 1]
    return float(np.exp(before + (GOAL - less) / (more - less) * (after - before)))
