"""What assumptions are worth on several data sets, in words and tables."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ibbench.report.cells import FAULTY, decimals_of
from ibbench.report.document import Shape, Table, legend
from ibbench.worth.generality import USUAL_KINDS, Generality

_GOAL = 2  # sentences tell on how many data sets an assumption is worth more than this factor of labels
WORTH_LEGEND = (
    "The factor of labels that what A assumes is worth against B at the given number of labels, with its 95 % interval "
    "over seeds and test molecules: B needs so many times the labels for the error of A. Below 1 B is the better one, "
    "and 1 over the factor is what B is worth. In brackets: the paired test, corrected "
    "(Holm) over all cells of this table, does not tell A from B. "
    f"{FAULTY}: a row that the factor rests on supports no claim."
)
RANKING_LEGEND = (
    "Kendall's tau between the rankings of all models by test error at the largest size: 1 for the same order, 0 for "
    "orders that have nothing to do with each other, -1 for the opposite; averaged over the pairs, with an "
    "interval that rather reaches too low than too high."
)


def generality_sentences(found: Generality) -> Iterator[str]:
    """Say on how many data sets each step is worth something, per kind of split, and how stable rankings are."""
    worth = found.worth.astype(object).assign(kind=usual_together(found.worth))
    for (a, b, kind), rows in worth.groupby(["a", "b", "kind"], sort=False):
        sound = rows[rows["sound"].astype(bool)]
        better, worse = ((sound["verdict"] == verdict).sum() for verdict in ("better", "worse"))
        more = (sound["worth"] > _GOAL).sum()
        surely = ((sound["worth_low"] > _GOAL) & (sound["verdict"] == "better")).sum()
        left_out = len(rows) - len(sound)
        places = "targets and splits" if rows.duplicated(["source", "target", "unit"]).any() else "targets"
        yield (
            f"{kind} split: at {rows['at'].iloc[0]:,.0f} labels, what {a} assumes is worth more than {_GOAL} times the "
            f"labels of {b} on {more} of {len(sound)} {places} of several data sets (surely on {surely}); it is surely "
            f"better on {better}, and surely worse on {worse}"
            + (f" ({left_out} left out, where a row supports no claim)." if left_out else ".")
        )
    for _, row in found.stability.astype(object).iterrows():
        what = "one data set under the splits" if row["across"] == "split" else "two data sets under the split"
        yield (
            f"rankings of {row['num_predictors']} models by their errors on {what} {row['kind']} agree with Kendall's "
            f"tau {_interval(row, 'tau')}, on average over {row['num_pairs']} pairs of rankings."
        )


def usual_together(worth: pd.DataFrame) -> "pd.Series[Any]":
    """Return the kinds of split, with those that are not harder than training under one name if no data set has two."""
    usual = worth["kind"].isin(USUAL_KINDS)
    if worth[usual].duplicated(["dataset", "unit", "a", "b"]).any():
        return worth["kind"]
    return worth["kind"].mask(usual, " or ".join(dict.fromkeys(worth["kind"][usual])))


def generality_tables(found: Generality) -> Iterator[Shape]:
    """Return the worth of each step per data set and split, and the agreement of rankings, each with how to read it."""
    steps = list(dict.fromkeys(zip(found.worth["a"], found.worth["b"], strict=True)))
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for _, row in found.worth.astype(object).iterrows():
        at = f"{row['at']:,.0f}"
        named = {"data set": str(row["dataset"]), "split": str(row["kind"]), "labels": at}
        cells = rows.setdefault((row["dataset"], row["kind"]), named | {_step(*step): "" for step in steps})
        cells[_step(row["a"], row["b"])] = worth_cell(row)
    yield Table(list(rows.values()), "On several data sets", text={"data set", "split"})
    yield legend(WORTH_LEGEND)
    if len(found.stability):
        yield Table(
            [
                {
                    "rankings of": "one data set" if row["across"] == "split" else "two data sets",
                    "split": str(row["kind"]),
                    "pairs": str(row["num_pairs"]),
                    "models": str(row["num_predictors"]),
                    "Kendall's tau": _interval(row, "tau"),
                }
                for _, row in found.stability.astype(object).iterrows()
            ],
            "Does the ranking stay?",
            text={"rankings of", "split"},
        )
        yield legend(RANKING_LEGEND)


def _step(a: str, b: str) -> str:
    return f"{a} / {b}"


def worth_cell(row: "pd.Series[Any]") -> str:
    """Format a factor of labels with its interval, marked where a row supports no claim."""
    mark = "" if row["sound"] else f" {FAULTY}"
    value = bounded(row["worth"], row)
    known = not math.isnan(row["worth_low"])
    ends = f" [{bounded(row['worth_low'], row)}, {bounded(row['worth_high'], row)}]" if known else ""
    return (f"({value}{ends})" if row["verdict"] == "open" else f"{value}{ends}") + mark


def bounded(value: float, row: "pd.Series[Any]") -> str:
    """Format a factor with two digits; beyond the sizes that were trained as the bound that is known."""
    if value == math.inf:
        return f"> {_two_digits(row['worth_most'])}"
    return f"< {_two_digits(row['worth_least'])}" if value == 0 else _two_digits(value)


def _two_digits(value: float) -> str:
    return f"{value:,.{decimals_of(value, 2)}f}"


def _interval(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"
