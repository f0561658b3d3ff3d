"""The ladder: what each rung gains over the one that it differs from in one assumption."""

from typing import Any

import pandas as pd

from ibbench.compare.pairs import Pairs, correct
from ibbench.compare.statistics import compare
from ibbench.compare.study import Entry, Group, Study
from ibbench.worth.curves import Curve, Floats
from ibbench.worth.saving import multiplier

COLUMNS = [
    "target", "unit", "train_size", "number", "rung", "adds", "after", "num_seeds",
    "mae_mean", "mae_std", "mae_low", "mae_high",
    "gain", "gain_low", "gain_high", "ratio", "ratio_low", "ratio_high", "p_holm", "verdict",
    "multiplier_at", "multiplier", "multiplier_low", "multiplier_high", "multiplier_least", "multiplier_most",
]  # fmt: skip


def ladder_table(study: Study, curves: list[Curve], draws: list[Floats], at: float | None) -> pd.DataFrame:
    """Tabulate the rungs of a study on each target at the largest train size that all of them have.

    Args:
        study: what was read; entries without a rung have no part in it.
        curves: over labels, as far as there are any.
        draws: of these curves.
        at: the train size at which the data multiplier is told; None if there are no curves.

    Returns:
        One row a target and rung, with `COLUMNS`. `gain` is the MAE of the rung `after` minus that of this one, so a
        gain is positive; the verdict is of this rung against that one, corrected over targets. The data multiplier is
        the factor of labels that the rung `after` needs to reach the error of this one at `multiplier_at`.
    """
    groups: dict[Group, dict[str, Entry]] = {}
    for entry in study.entries:
        if entry.rung:
            groups.setdefault(entry.key.group, {})[entry.rung.name] = entry
    largest = {
        (group.section, group.target, group.unit): group
        for group in sorted(groups, key=lambda group: (len(groups[group]), group.train_size))
    }
    steps = [step for group in largest.values() for step in _steps(groups[group])]
    pairs = correct({(entry.key, before.key): compare(entry.sample, before.sample) for entry, before in steps})
    rows = []
    for group in largest.values():
        rungs = groups[group]
        for entry in sorted(rungs.values(), key=_number):
            before = rungs.get(entry.rung.after or "") if entry.rung else None
            row = _errors(entry)
            if before:
                row |= _step(entry, before, pairs) | _labels(entry, before, curves, draws, at)
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _number(entry: Entry) -> int:
    assert entry.rung
    return entry.rung.number


def _steps(rungs: dict[str, Entry]) -> list[tuple[Entry, Entry]]:
    return [(entry, rungs[entry.rung.after]) for entry in rungs.values() if entry.rung and entry.rung.after in rungs]


def _errors(entry: Entry) -> dict[str, Any]:
    group, rung, sample = entry.key.group, entry.rung, entry.sample
    assert rung
    low, high = sample.mae_interval() or (None, None)
    return {
        "target": group.target,
        "unit": group.unit,
        "train_size": group.train_size,
        "number": rung.number,
        "rung": rung.name,
        "adds": rung.adds,
        "after": rung.after,
        "num_seeds": len(sample.seeds),
        "mae_mean": sample.mae,
        "mae_std": sample.mae_std,
        "mae_low": low,
        "mae_high": high,
    }


def _step(entry: Entry, before: Entry, pairs: Pairs) -> dict[str, Any]:
    pair = pairs[entry.key, before.key]
    figures = pair.figures()
    difference = pair.comparison.difference.negated()
    low, high = difference.interval() or (None, None)
    kept = {name: figures[name] for name in ("ratio", "ratio_low", "ratio_high", "p_holm")}
    return {"gain": difference.value, "gain_low": low, "gain_high": high, **kept, "verdict": str(pair.verdict)}


def _labels(entry: Entry, before: Entry, curves: list[Curve], draws: list[Floats], at: float | None) -> dict[str, Any]:
    group = entry.key.group
    found = {}
    for curve, drawn in zip(curves, draws, strict=True):
        if (curve.section, curve.target, curve.unit) == (group.section, group.target, group.unit):
            found[curve.model] = curve, drawn
    assert entry.rung and before.rung
    if at is None or entry.rung.name not in found or before.rung.name not in found:
        return {}
    (a, draws_a), (b, draws_b) = found[entry.rung.name], found[before.rung.name]
    if not a.sizes[0] <= at <= a.sizes[-1]:
        return {}
    one = multiplier(a, b, draws_a, draws_b, at)
    return {
        "multiplier_at": one.at,
        "multiplier": one.value,
        "multiplier_low": one.low,
        "multiplier_high": one.high,
        "multiplier_least": one.least,
        "multiplier_most": one.most,
    }
