"""What curves tell, in sentences and tables for people."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ibbench.compare.comparison import differing
from ibbench.compare.study import Section
from ibbench.models import STANDARD_MODELS
from ibbench.report.cells import difference, probability, with_spread
from ibbench.worth.curves import AXES, Curve, comparable
from ibbench.worth.power_law import MIN_SIZES
from ibbench.worth.worth import Worth

TEXT = {*Section._fields, "target", "A", "B", "model", "unit", "rung", "assumes in addition", "after", "verdict"}
_MOST_PAIRS = 20  # that people read
_POOR = 0.05  # a residual of a law, relative to it
_NOUN = {"labels": "labels", "seconds": "training seconds", "parameters": "parameters"}


def factor(row: "pd.Series[Any]") -> str:
    """Format a data multiplier with its interval; beyond the sizes that were trained only a bound is known."""
    least, most = row["multiplier_least"], row["multiplier_most"]
    if pd.isna(row["multiplier"]):
        return ""
    low, high = (_end(row[f"multiplier_{end}"], least, most) for end in ("low", "high"))
    if row["multiplier"] == math.inf:
        return f"more than {_digits(most)}" + ("" if row["multiplier_low"] == math.inf else f" [{low}, {high}]")
    if row["multiplier"] == 0:
        return f"less than {_digits(least)}" + ("" if row["multiplier_high"] == 0 else f" [{low}, {high}]")
    return f"{_digits(row['multiplier'])} [{low}, {high}]"


def _end(value: float, least: float, most: float) -> str:
    return f"> {_digits(most)}" if value == math.inf else f"< {_digits(least)}" if value == 0 else _digits(value)


def _digits(value: float) -> str:
    """Format with two digits, or all before the decimal point."""
    decimals = max(0, 1 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{decimals}f}"


def amount(value: float, by: str) -> str:
    """Format a size along an axis."""
    return f"{value:,.0f}" if by != "seconds" else f"{value:.3g}"


def sentences(worth: Worth) -> Iterator[str]:
    """Say in words what each model's assumptions are worth against those of the one before it."""
    for curves in comparable(worth.curves):
        for one, other in _neighbours(curves):
            row = _row(worth, one, other)
            if row is not None:
                where = ", ".join(f"{field} {row[field]}" for field in differing(worth.sections))
                yield (f"{where}: " if where else "") + _sentence(worth, row)


def _neighbours(curves: list[Curve]) -> Iterator[tuple[Curve, Curve]]:
    rungs = {curve.entries[0].rung.name: curve for curve in curves if curve.entries[0].rung}
    if rungs:
        for curve in rungs.values():
            rung = curve.entries[0].rung
            if rung and rung.after in rungs:
                yield curve, rungs[rung.after]
        return
    plain = [curve for curve in curves if curve.model in STANDARD_MODELS]
    yield from itertools.pairwise(plain if len(plain) > 1 else curves)


def _row(worth: Worth, one: Curve, other: Curve) -> "pd.Series[Any] | None":
    """Choose what to tell of a pair: the model with the lower error as A, near the reference size.

    If nobody asked for that size, one where the factor is known from both sides is preferred: 1 to 16 times as many
    labels say more than "more than 4".
    """
    names = {one.model, other.model}
    table = worth.multipliers.astype(object)
    of_group = (table["target"] == one.target) & (table["unit"] == one.unit)
    for field, value in one.section._asdict().items():
        of_group &= table[field] == value
    rows = table[of_group & table["a"].isin(names) & table["b"].isin(names)]
    rows = rows[rows["multiplier"] >= 1]
    if rows.empty:
        return None
    bounded = (rows["multiplier_low"] > 0) & (rows["multiplier_high"] < math.inf)
    if bounded.any() and not worth.asked:
        rows = rows[bounded]
    assert worth.at is not None
    reference = worth.at
    nearest = int(rows["at"].map(lambda at: abs(math.log(at / reference))).to_numpy().argmin())
    return rows.iloc[nearest]


def _sentence(worth: Worth, row: "pd.Series[Any]") -> str:
    at, noun = amount(row["at"], worth.by), _NOUN[worth.by]
    a, b = row["a"], row["b"]
    if row["multiplier_low"] <= 1:
        return f"{row['target']}: at {at} {noun}, {a} and {b} are not distinguishable (factor {factor(row)})."
    if worth.by == "labels":
        return f"{row['target']}: at {at} labels, what {a} assumes is worth {factor(row)} times the labels of {b}."
    return f"{row['target']}: for the error of {a} at {at} {noun}, {b} needs {factor(row)} times the {noun}."


def remarks(worth: Worth) -> Iterator[str]:
    """Say what must be known to read the figures right."""
    for _, row in worth.laws.iterrows():
        which = ", ".join([row["target"], row["model"], *(row[field] for field in differing(worth.sections))])
        if not row["floor_known"]:
            yield f"{which}: these sizes cannot tell the floor c from 0; what the law says beyond them is a guess."
        if row["largest_residual"] > _POOR:
            yield f"{which}: the law misses a size by {row['largest_residual']:.0%}, so it is not that of this curve."
    if worth.by == "seconds":
        yield "Timings vary from run to run, which the intervals do not tell: no law is fitted to them."
    elif worth.curves and worth.laws.empty:
        yield f"No law is fitted: that takes {MIN_SIZES} sizes."
    if worth.failed:
        yield f"Missing, because they failed: {', '.join(record.run for record in worth.failed)}."
    samples = [sample for curve in worth.curves for sample in curve.samples]
    if any(len(sample.seeds) == 1 for sample in samples):
        yield "Some points have one seed: their intervals are over test molecules only."
    if any(sample.errors is None for sample in samples):
        yield "Some predictions.npz are missing: intervals are over seeds alone there."


def multiplier_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the multipliers, a row a pair and a column a size (over labels), or a row each."""
    table = _leading(worth.multipliers.astype(object))
    if worth.by != "labels":
        return [
            _where(worth, row)
            | {
                "A": row["a"],
                "B": row["b"],
                f"{_NOUN[worth.by]} of A": amount(row["at"], worth.by),
                "factor": factor(row),
            }
            for _, row in table.iterrows()
        ]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    columns = [amount(at, worth.by) for at in sorted(set(table["at"]))]
    for _, row in table.iterrows():
        named = _where(worth, row) | {"A": row["a"], "B": row["b"]}
        cells = rows.setdefault(tuple(named.values()), named | dict.fromkeys(columns, ""))
        cells[amount(row["at"], worth.by)] = factor(row)
    return list(rows.values())


def _where(worth: Worth, row: "pd.Series[Any]") -> dict[str, str]:
    """Name the target, and what the sections of a study differ in, for the first columns of a row."""
    return {field: str(row[field]) for field in differing(worth.sections)} | {"target": row["target"]}


def _leading(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the first direction of each pair: A the model with the lower error at its largest size."""
    fields = ["target", *Section._fields, "a", "b"]
    directions = list(zip(*(table[field] for field in fields), strict=True))
    leading: dict[tuple[Any, ...], None] = {}
    for *group, a, b in directions:
        if (*group, b, a) not in leading:
            leading[*group, a, b] = None
    return table.loc[[direction in leading for direction in directions]]


def bits_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the bits that a label costs less."""
    return [
        _where(worth, row)
        | {
            "A": row["a"],
            "B": row["b"],
            "bits a label": f"{row['bits_per_label']:.2f} [{row['bits_low']:.2f}, {row['bits_high']:.2f}]",
            "labels": f"{row['smallest']:,.0f} to {row['largest']:,.0f}",
        }
        for _, row in worth.bits.iterrows()
    ]


def law_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the laws MAE = a N^-b + c."""
    return [
        _where(worth, row)
        | {
            "model": row["model"],
            **{name: _with_ends(row, name) for name in ("a", "b", "c")},
            "unit": row["unit"],
            "largest residual": f"{row['largest_residual']:.1%}",
        }
        for _, row in worth.laws.iterrows()
    ]


def _with_ends(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[name]:.3g} [{row[f'{name}_low']:.3g}, {row[f'{name}_high']:.3g}]"


def ladder_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the rungs of a ladder."""
    rows = []
    for _, row in worth.ladder.astype(object).iterrows():
        gain = {"difference": row["gain"], "difference_low": row["gain_low"], "difference_high": row["gain_high"]}
        first = pd.isna(row["gain"])
        multiplier = {f"labels x at {amount(worth.at, 'labels')}": factor(row)} if worth.at else {}
        rows.append(
            _where(worth, row)
            | {
                "rung": f"{row['number']}. {row['rung']}",
                "assumes in addition": row["adds"],
                "after": "" if first else row["after"],
                "test MAE": with_spread(row["mae_mean"], row["mae_std"]),
                "unit": row["unit"],
                "gain": "" if first else difference(pd.Series(gain)),
                "p": "" if first else probability(row["p_holm"]),
                "verdict": "" if first else row["verdict"].partition(" (")[0],
            }
            | multiplier
        )
    return rows


def too_many_pairs(worth: Worth) -> bool:
    """Whether nobody would read all multipliers: they are in the CSV."""
    return len(worth.multipliers[["target", "a", "b"]].drop_duplicates()) > _MOST_PAIRS


LEGENDS = {
    "factors": (
        "The factor of {noun} that B needs to reach the error of A at the size above (or given), between sizes by "
        "interpolation in log-log, with its 95 % interval over seeds and test molecules; beyond the sizes that were "
        "trained only a bound is known. A is the model with the lower error at its largest size."
    ),
    "bits": (
        "Prequential code length: the labels between two sizes are coded by the model trained on the smaller one, with "
        "Laplace-distributed errors; A saves log2(MAE B / MAE A) bits on each. Half the error is one bit a label."
    ),
    "laws": "MAE = a N^-b + c, N in {axis}, fitted to the logarithm of the MAE, with 95 % intervals.",
    "ladder": (
        "Each rung differs in one thing from the rung named under `after`; gain is by how much the MAE falls, with its "
        "95 % interval; verdict by the paired test of the table, p corrected over targets; labels x: the factor of "
        "labels that the rung before needs to reach this one's error."
    ),
}


def legend(name: str, worth: Worth) -> str:
    """Explain a table."""
    return LEGENDS[name].format(noun=_NOUN[worth.by], axis=AXES[worth.by])
