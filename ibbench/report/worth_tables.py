"""Rows of tables for people about the curves of a study: multipliers, bits, laws, and rungs."""

import math
from typing import Any

import pandas as pd

from ibbench.compare.comparison import differing
from ibbench.compare.rows import Section, in_full
from ibbench.report.cells import (
    FAULTY,
    Notation,
    decimals_of,
    difference,
    figure,
    notation_of,
    probability,
    with_interval,
    with_spread,
)
from ibbench.worth.power_law import FORMS
from ibbench.worth.worth import Worth

NOUN = {"labels": "labels", "seconds": "training seconds", "parameters": "parameters"}


def factor(row: "pd.Series[Any]") -> str:
    """Format a data multiplier with its interval; if only a bound is known, as `more than` or `less than` the bound."""
    least, most = row["multiplier_least"], row["multiplier_most"]
    if pd.isna(row["multiplier"]):
        return ""
    if pd.isna(row["multiplier_low"]):
        return _bound(row["multiplier"], least, most).replace("< ", "less than ").replace("> ", "more than ")
    low, high = (_bound(row[f"multiplier_{end}"], least, most) for end in ("low", "high"))
    if row["multiplier"] == math.inf:
        return f"more than {_two_digits(most)}" + ("" if row["multiplier_low"] == math.inf else f" [{low}, {high}]")
    if row["multiplier"] == 0:
        return f"less than {_two_digits(least)}" + ("" if row["multiplier_high"] == 0 else f" [{low}, {high}]")
    return f"{_two_digits(row['multiplier'])} [{low}, {high}]"


def _bound(value: float, least: float, most: float) -> str:
    """Format an end of an interval, which may lie beyond the sizes that were trained."""
    if value == math.inf:
        return f"> {_two_digits(most)}"
    return f"< {_two_digits(least)}" if value == 0 else _two_digits(value)


def _two_digits(value: float) -> str:
    """Format a figure with two significant digits, or with all of its digits before the decimal point."""
    return f"{value:,.{decimals_of(value, 2)}f}"


def amount(value: float, by: str) -> str:
    """Format a size along an axis of `ibbench.worth.curves.AXES`."""
    return f"{value:,.0f}" if by != "seconds" else f"{value:.3g}"


def multiplier_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the multipliers: one row per pair with a column per size along labels, else one row per pair and size."""
    table = _leading(worth.multipliers.astype(object))
    if worth.by != "labels":
        return [
            _where(worth, row)
            | {
                "A": row["a"],
                "B": row["b"],
                f"{NOUN[worth.by]} of A": amount(row["at"], worth.by),
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
    """Return the first cells of a row: the fields in which the sections of the study differ, and the target."""
    return {field: str(row[field]) for field in differing(worth.sections)} | {"target": row["target"]}


def _leading(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one direction of each pair: the one with the model of lower error (at its largest size) as A."""
    fields = ["target", *Section._fields, "a", "b"]
    directions = list(zip(*(table[field] for field in fields), strict=True))
    leading: dict[tuple[Any, ...], None] = {}
    for *group, a, b in directions:
        if (*group, b, a) not in leading:
            leading[*group, a, b] = None
    return table.loc[[direction in leading for direction in directions]]


def bits_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the bits per label that A saves against B, one row per pair."""
    return [
        _where(worth, row)
        | {
            "A": row["a"],
            "B": row["b"],
            "bits a label": with_interval(row["bits_per_label"], row["bits_low"], row["bits_high"], Notation(2)),
            "labels": f"{row['smallest']:,.0f} to {row['largest']:,.0f}",
        }
        for _, row in worth.bits.iterrows()
    ]


def law_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the laws MAE = a N^-b + c, one row per curve."""
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


def form_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the relative error of each law at the largest size, which it was not fitted to; one row per curve."""
    return [
        _where(worth, row)
        | {"model": row["model"], "held out": amount(row["held_out"], worth.by)}
        | {name: f"{row[f'error_{form}']:+.1%}" for form, name in FORMS.items()}
        | {"best": row["best_law"]}
        for _, row in worth.laws.iterrows()
    ]


def _with_ends(row: "pd.Series[Any]", name: str) -> str:
    if pd.isna(row[f"{name}_low"]):
        return f"{row[name]:.3g}"
    return f"{row[name]:.3g} [{row[f'{name}_low']:.3g}, {row[f'{name}_high']:.3g}]"


def intrinsic_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the dimensions that training needs, one row per model and target."""
    return [
        _where(worth, row)
        | {
            "model": in_full(row["model"], row["variant"]),
            "train size": f"{row['train_size']:,}",
            "MAE of the mean": figure(row["mae_of_mean"], 4),
            "MAE of all weights": figure(row["mae_of_all"], 4),
            "unit": row["unit"],
            "dimensions": dimensions(row) + (f" {FAULTY}" if row["caution"] else ""),
            "parameters": f"{row['parameters']:,}",
            "not converged": row["caution"].removeprefix("not converged: "),
        }
        for row in (pd.Series(one.row(), dtype=object) for one in worth.intrinsic)
    ]


def dimensions(row: "pd.Series[Any]") -> str:
    """Format the dimensions that a training needs with their interval, or the bound that is known of them."""
    if math.isnan(row["dimensions"]):
        return "unknown"
    if row["dimensions"] == math.inf:
        return f"more than {row['most']:,}"
    if row["dimensions"] == 0:
        return f"less than {row['fewest']:,}"
    return with_interval(
        row["dimensions"], row["dimensions_low"], row["dimensions_high"], notation_of(row["dimensions"], 2)
    )


def ladder_rows(worth: Worth) -> list[dict[str, str]]:
    """Format the rungs of a ladder, one row per rung and target."""
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
                "test MAE": with_spread(row["mae_mean"], row["mae_std"]) + (f" {FAULTY}" if row["fault"] else ""),
                "unit": row["unit"],
                "gain": "" if first else difference(gain),
                "p": "" if first else probability(row["p_holm"]),
                "verdict": "" if first else row["verdict"].partition(" (")[0],
            }
            | multiplier
        )
    return rows
