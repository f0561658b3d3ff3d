"""The ladder: how much each rung gains over the rung that lacks one of its assumptions."""

from typing import Any

import pandas as pd

from ibbench.compare.columns import interval, shared
from ibbench.compare.pairs import Pairs, correct, find_alike
from ibbench.compare.rows import Entry, Group, Section, in_full
from ibbench.compare.soundness import find_faults
from ibbench.compare.statistics import compare
from ibbench.compare.study import Study
from ibbench.worth.curves import Curve, Floats
from ibbench.worth.names import name_entries
from ibbench.worth.saving import MULTIPLIER, bounds_of_multiplier, multiplier

COLUMNS = {
    **shared("target", "unit", "train_size"),
    "number": "place of the rung in the ladder",
    "rung": "its name",
    "adds": "the assumption in which it differs from the rung `after`",
    "after": "name of the rung that it is compared with; empty for the first",
    **shared("num_seeds"),
    "mae_mean": "mean absolute error on the test molecules, averaged over seeds",
    "mae_std": "sample standard deviation of the MAE over seeds",
    "mae_low": "lower end of the 95 % interval of the MAE, for other seeds and other test molecules",
    "mae_high": "upper end of that interval",
    **interval("gain", "MAE of the rung `after` minus that of this one: positive if this one is better"),
    **interval("ratio", "MAE of this rung over that of the rung `after`"),
    **shared("p_holm"),
    "verdict": "verdict on this rung against the rung `after`; `no claim` where one of them supports none",
    "fault": "why the rung supports no claim; empty if it does",
    "multiplier_at": "number of labels at which the multiplier is told",
    **interval("multiplier", MULTIPLIER.format(a="this rung", b="the rung `after`")),
    **bounds_of_multiplier("the rung `after`"),
    **shared(*Section._fields),
}
NO_CLAIM = "no claim"  # verdict where one of the two rungs supports no claim, see `compare.soundness`


def ladder_table(study: Study, curves: list[Curve], draws: list[Floats], at: float | None) -> pd.DataFrame:
    """Tabulate the rungs of a study on each target at the largest train size that all of them have.

    Args:
        study: a study as read; entries that are no rung are ignored.
        curves: learning curves over labels; may be empty.
        draws: draws of these curves, see `draw_curves`, each `[D, K]`.
        at: train size at which the data multiplier is reported; None if there are no curves.

    Returns:
        One row per target and rung, with `COLUMNS`. `after` names the rung that a row is compared with. `gain` is the
        MAE of the rung `after` minus the MAE of this rung, so a lower error is a positive gain. The verdict is on this
        rung, corrected over all steps of all targets. The data multiplier is the factor of labels that the rung `after`
        needs to reach the error of this rung at `multiplier_at`.
    """
    groups: dict[Group, dict[str, Entry]] = {}
    names = name_entries(study.entries)
    for entry in study.entries:
        if entry.rung:
            groups.setdefault(entry.key.group, {})[names[entry.key][0]] = entry
    largest = {
        (group.section, group.target, group.unit): group
        for group in sorted(groups, key=lambda group: (len(groups[group]), group.train_size))
    }
    befores = {
        entry.key: groups[group].get(_after(entry, names[entry.key][1]) or "")
        for group in largest.values()
        for entry in groups[group].values()
    }
    compared = {
        (entry.key, before.key): compare(entry.sample, before.sample)
        for group in largest.values()
        for entry in groups[group].values()
        if (before := befores[entry.key])
    }
    pairs = correct(compared, alike=find_alike(study.entries))
    faults = find_faults(study.entries)
    rows = []
    for group in largest.values():
        for name, entry in sorted(groups[group].items(), key=lambda item: _number(item[1])):
            before = befores[entry.key]
            row = _errors(entry) | {"rung": name, "after": _after(entry, names[entry.key][1])}
            row["fault"] = faults.get(entry.key, "")
            if before:
                row |= _step(entry, before, pairs)
                if entry.key in faults or before.key in faults:
                    row["verdict"] = NO_CLAIM
                else:
                    row |= _labels(group, (name, names[before.key][0]), curves, draws, at)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _number(entry: Entry) -> int:
    assert entry.rung
    return entry.rung.number


def _after(entry: Entry, rest: str) -> str | None:
    """Return the name of the rung that this one is compared with, of the same variant; None for the first rung."""
    assert entry.rung
    return in_full(entry.rung.after, rest) if entry.rung.after else None


def _errors(entry: Entry) -> dict[str, Any]:
    group, rung, sample = entry.key.group, entry.rung, entry.sample
    assert rung
    low, high = sample.mae_interval() or (None, None)
    return {
        "target": group.target,
        "unit": group.unit,
        "train_size": group.train_size,
        "number": rung.number,
        "adds": rung.adds,
        "num_seeds": len(sample.seeds),
        "mae_mean": sample.mae,
        "mae_std": sample.mae_std,
        "mae_low": low,
        "mae_high": high,
        **group.section._asdict(),
    }


def _step(entry: Entry, before: Entry, pairs: Pairs) -> dict[str, Any]:
    pair = pairs[entry.key, before.key]
    figures = pair.figures()
    difference = pair.comparison.difference.negated()
    low, high = difference.interval() or (None, None)
    kept = {name: figures[name] for name in ("ratio", "ratio_low", "ratio_high", "p_holm")}
    return {"gain": difference.value, "gain_low": low, "gain_high": high, **kept, "verdict": str(pair.verdict)}


def _labels(
    group: Group, names: tuple[str, str], curves: list[Curve], draws: list[Floats], at: float | None
) -> dict[str, Any]:
    found = {}
    for curve, drawn in zip(curves, draws, strict=True):
        if (curve.section, curve.target, curve.unit) == (group.section, group.target, group.unit):
            found[curve.model] = curve, drawn
    if at is None or not found.keys() >= set(names):
        return {}
    (a, draws_a), (b, draws_b) = (found[name] for name in names)
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
