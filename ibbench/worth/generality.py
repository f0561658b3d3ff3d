"""Generality: whether an assumption is worth as much on other data sets and under other splits of a study."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ibbench.compare.columns import interval as with_ends
from ibbench.compare.columns import shared
from ibbench.compare.estimate import ALPHA
from ibbench.compare.pairs import Pairs, correct
from ibbench.compare.rows import Key, Section, in_full
from ibbench.compare.soundness import find_faults
from ibbench.compare.statistics import Comparison, compare
from ibbench.compare.study import Study
from ibbench.compare.variants import describe, find_variants_of
from ibbench.worth.curves import Curve, Floats, comparable, corrected_p, draw_curves, interval, neighbours, rests_on
from ibbench.worth.names import OWN, RANDOM, name_source, name_split
from ibbench.worth.saving import Multiplier, signed_multiplier

USUAL_KINDS = (RANDOM, OWN)  # whose test molecules are like those that models train on
COLUMNS = {
    "dataset": "the data set, as it is named in pictures",
    **shared("target", "unit"),
    "kind": "how test molecules were chosen: `data.split`, or `own` where the data set has a split of its own",
    "at": "number of labels at which both errors are looked at",
    "a": "model A: of the two the one that is worth more in most settings",
    "b": "model B",
    **with_ends(
        "worth",
        "factor of labels that what A assumes is worth against B; below 1 where B is better: 1 over what B is worth",
    ),
    "worth_least": "the smallest factor that the trained sizes can show; `worth` is 0 below it",
    "worth_most": "the largest factor that they can show; `worth` is `inf` beyond it",
    **shared("p_holm"),
    "verdict": "verdict on A: `better` or `worse` if both the interval and the corrected p-value say so; else `open`",
    "sound": "whether the rows that the factor rests on support a claim",
    **shared(*Section._fields),
}
STABILITY_COLUMNS = {
    "across": "what the two rankings differ in: the split of the test molecules, or the data set",
    "kind": "the split, or both splits",
    "num_pairs": "number of pairs of rankings",
    "num_predictors": "the least number of models (and pairs of a summary and a regression) that a pair ranks",
    **with_ends("tau", "Kendall's tau between the two rankings by test error, averaged over the pairs"),
}


class Setting(NamedTuple):
    """What an assumption was tried on: the curves of one data set, target and split, with their draws.

    Attributes:
        dataset: name of the data set for people.
        kind: how test molecules were chosen.
        detail: what tells it from other settings of the same data set and kind, such as the seed of its split.
        curves: curves of all models, which can be compared with each other.
        draws: draws of their log errors, each `[D, K]`; independent of those of other settings.
    """

    dataset: str
    kind: str
    detail: str
    curves: list[Curve]
    draws: list[Floats]

    @property
    def name(self) -> str:
        """The data set, with what tells it from others of the same name."""
        return in_full(self.dataset, self.detail)


class Generality(NamedTuple):
    """The worth of each step on each setting (`COLUMNS`), and how stable rankings are (`STABILITY_COLUMNS`).

    `left_out` names the data sets that were trained at other sizes only.
    """

    worth: pd.DataFrame
    stability: pd.DataFrame
    left_out: tuple[str, ...] = ()


def find_generality(study: Study, curves: Sequence[Curve], at: float | None) -> Generality | None:
    """Tell what each step between models is worth on each data set and split of a study, and how stable rankings are.

    The steps are known before anything is trained, so p-values are corrected over them, on all data sets and splits.
    (The table of the study corrects over all pairs of its rows, which are many times as many.)

    Args:
        study: a study as read.
        curves: its curves over labels.
        at: number of labels at which worth is told; None where there are no curves.

    Returns:
        None if the curves are of one data set and target alone.
    """
    if at is None:
        return None
    known = [curve for curve in curves if curve.sizes[0] <= at <= curve.sizes[-1]]
    groups = comparable(known)
    if len({group[0].section.source for group in groups}) < 2:
        return None
    settings = [
        Setting(name_dataset(group[0]), _kind(group), detail, group, draw_curves(group, stream=number))
        for number, (group, detail) in enumerate(zip(groups, _find_details(groups), strict=True))
    ]
    named = {name_dataset(curve) for curve in known}
    left_out = dict.fromkeys(name for curve in curves if (name := name_dataset(curve)) not in named)
    places = list(dict.fromkeys(setting.dataset for setting in settings))
    settings.sort(key=lambda one: (places.index(one.dataset), one.kind not in USUAL_KINDS, one.kind))
    faulty, tested = set(find_faults(study.entries)), _test_steps(settings, at)
    rows = [row for setting in settings for row in _rows(setting, at, faulty, tested)]
    return Generality(
        pd.DataFrame(_oriented(rows), columns=list(COLUMNS)),
        pd.DataFrame(_stability(settings), columns=list(STABILITY_COLUMNS)),
        tuple(left_out),
    )


def _test_steps(settings: Sequence[Setting], at: float) -> Pairs:
    """Compare the two models of each step at a size, corrected over the steps of all settings.

    Variances over seeds inform each other among settings with one kind of split: on test molecules unlike those that
    models train on, seeds differ by much more.
    """
    compared: dict[tuple[Key, Key], Comparison] = {}
    is_usual = {setting.curves[0].section: setting.kind in USUAL_KINDS for setting in settings}
    for setting in settings:
        for one, other in neighbours(setting.curves):
            a, b = (dict(zip(curve.sizes.tolist(), curve.entries, strict=True)).get(at) for curve in (one, other))
            if a and b:
                compared[a.key, b.key] = compare(a.sample, b.sample)
    return correct(compared, alike=is_usual)


def name_dataset(curve: Curve) -> str:
    """Return a short name of a data set and target: the task of a source that has several, else the source.

    The bound on the size of molecules is left out.
    """
    task = name_source(curve.section.source)
    return task if curve.target in (task, "activity") else f"{task} {curve.target}"


def _kind(group: Sequence[Curve]) -> str:
    return name_split(_options(group))


def _options(group: Sequence[Curve]) -> dict[str, Any]:
    known = [curve.entries[0].options for curve in group if curve.entries[0].options]  # a baseline has none
    return known[0] if known else {}


def _find_details(groups: Sequence[list[Curve]]) -> list[str]:
    """Tell groups of the same data set, unit and kind of split apart, by their options or by what was found."""
    alike: dict[tuple[str, str, str], list[int]] = {}
    for place, group in enumerate(groups):
        alike.setdefault((name_dataset(group[0]), group[0].unit, _kind(group)), []).append(place)
    details = [""] * len(groups)
    for places in (places for places in alike.values() if len(places) > 1):
        options = find_variants_of([_options(groups[place]) for place in places], apart=False)
        for place, differing in zip(places, options, strict=True):
            of_data = {key: value for key, value in differing.items() if key.startswith("data.")}
            details[place] = describe(of_data) or ", ".join(groups[place][0].section)
    return details


def _rows(setting: Setting, at: float, faulty: set[Key], tested: Pairs) -> list[dict[str, Any]]:
    drawn = dict(zip(map(id, setting.curves), setting.draws, strict=True))
    rows = []
    for one, other in neighbours(setting.curves):
        for a, b in ((one, other), (other, one)):
            found = signed_multiplier(a, b, drawn[id(a)], drawn[id(b)], at)
            p_holm = corrected_p(a, b, at, tested)
            rows.append(
                {
                    "dataset": setting.name,
                    "target": a.target,
                    "unit": a.unit,
                    "kind": setting.kind,
                    "at": at,
                    "a": a.model,
                    "b": b.model,
                    "worth": found.value,
                    "worth_low": found.low,
                    "worth_high": found.high,
                    "worth_least": found.least,
                    "worth_most": found.most,
                    "p_holm": p_holm,
                    "verdict": _verdict(found, p_holm),
                    "sound": not _rests_on_fault(a, b, at, found.value, faulty),
                    **a.section._asdict(),
                }
            )
    return rows


def _verdict(found: Multiplier, p_holm: float) -> str:
    if not p_holm < ALPHA:  # NaN between sizes that were trained, and with one seed
        return "open"
    return "better" if found.low > 1 else "worse" if found.high < 1 else "open"


def _rests_on_fault(a: Curve, b: Curve, at: float, worth: float, faulty: set[Key]) -> bool:
    """Whether the worth of A against B, as `signed_multiplier` tells it, comes from a faulty row."""
    better, other, factor = (a, b, worth) if worth >= 1 else (b, a, 1 / worth if worth else math.inf)
    return rests_on(better, at, faulty) or rests_on(other, at * factor, faulty)


def _oriented(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one direction of each pair of models: with the model as A that is worth more in most settings."""
    won: dict[tuple[str, str], int] = {}
    for row in rows:
        won[row["a"], row["b"]] = won.get((row["a"], row["b"]), 0) + (row["worth"] > 1) - (row["worth"] < 1)
    kept: dict[tuple[str, str], None] = {}
    for a, b in won:
        if (b, a) not in kept:
            kept[(b, a) if won[b, a] > won[a, b] else (a, b)] = None
    return [row for row in rows if (row["a"], row["b"]) in kept]


def _stability(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """Compare the rankings of one data set under two splits, and those of two data sets under one kind of split."""
    pairs: dict[tuple[str, str], list[tuple[Setting, Setting]]] = {}
    for one, other in itertools.combinations(settings, 2):
        usual = {one.kind, other.kind} <= {*USUAL_KINDS}
        if _same_task(one, other) and one.kind != other.kind:
            pairs.setdefault(("split", _both(one.kind, other.kind)), []).append((one, other))
        elif not _same_task(one, other) and (one.kind == other.kind or usual):
            kind = one.kind if one.kind == other.kind and not usual else " or ".join(USUAL_KINDS)
            pairs.setdefault(("data set", kind), []).append((one, other))
    return [
        {"across": across, "kind": kind, **_mean_tau(found)}
        for (across, kind), found in pairs.items()
        if _shared(found)
    ]


def _same_task(one: Setting, other: Setting) -> bool:
    return (one.dataset, one.curves[0].unit) == (other.dataset, other.curves[0].unit)


def _both(one: str, other: str) -> str:
    return " and ".join(sorted((one, other), key=lambda kind: (kind not in USUAL_KINDS, kind)))


def _shared(pairs: Sequence[tuple[Setting, Setting]]) -> bool:
    return min(len(_common(*pair)) for pair in pairs) > 2  # two models have two orders: that tells nothing


def _common(one: Setting, other: Setting) -> list[str]:
    names = {curve.model for curve in other.curves}
    return [curve.model for curve in one.curves if curve.model in names]


def _mean_tau(pairs: Sequence[tuple[Setting, Setting]]) -> dict[str, Any]:
    """Return the mean of Kendall's tau over pairs of settings, by the errors at the largest size of each.

    Its interval is over draws of the errors. They vary around errors that vary themselves, so the draws agree less than
    true rankings would, and the interval is on the safe side: it reaches too low rather than too high.
    """
    taus = np.stack([_tau(one, other) for one, other in pairs]).mean(axis=0)  # [1 + D]
    low, high = interval(taus[1:]) if np.isfinite(taus).all() else (math.nan, math.nan)
    least = min(len(_common(*pair)) for pair in pairs)
    return {
        "num_pairs": len(pairs),
        "num_predictors": least,
        "tau": float(taus[0]),
        "tau_low": min(low, float(taus[0])),
        "tau_high": max(high, float(taus[0])),
    }


def _tau(one: Setting, other: Setting) -> Floats:
    """Return Kendall's tau of the errors as measured and for each draw, `[1 + D]`; errors have no ties."""
    common = _common(one, other)
    signs = [_signs(setting, common) for setting in (one, other)]
    return (signs[0] * signs[1]).mean(axis=1)


def _signs(setting: Setting, models: Sequence[str]) -> Floats:
    """Return the sign of the difference of errors of each pair of models, as measured and drawn, `[1 + D, P]`."""
    by_name = {curve.model: (curve, drawn) for curve, drawn in zip(setting.curves, setting.draws, strict=True)}
    errors = np.stack(
        [
            np.concatenate([np.log(by_name[name][0].maes[-1:]), by_name[name][1][:, -1]])  # at the largest size
            for name in models
        ],
        axis=1,
    )
    first, second = np.triu_indices(len(models), 1)
    signs: Floats = np.sign(errors[:, first] - errors[:, second])
    return signs
