"""The searches of a study in words: the chosen trials, and the expected best error of n trials."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ibbench.compare.search import TRIALS_OF_EACH
from ibbench.compare.study import Entry, Group
from ibbench.compare.table import GROUP
from ibbench.options.trial import TUNED
from ibbench.report.cells import notation_of, task, with_interval
from ibbench.report.document import Heading, Remark, Shape, Table, legend

_LEGEND = (
    "Every model is trained with the same random draws of these options; the tables above have, of each, the trial "
    "with the lowest validation MAE. n = 4: the lowest validation MAE (mean over seeds) that is to be expected of 4 "
    "trials (unbiased, Tang et al. 2020), with its 95 % interval by a bootstrap over trials where there are at least "
    f"{TRIALS_OF_EACH} n trials: with fewer, no interval would hold what it says. A failed trial counts as an infinite "
    "error."
)


def page(tuning: pd.DataFrame, entries: Sequence[Entry], fields: Sequence[str]) -> list[Shape]:
    """Tell all searches of a study in one part of a page; nothing where there are none.

    Args:
        tuning: the table of `ibbench.compare.search_table`, of some or all targets.
        entries: what the study has.
        fields: columns that come first.
    """
    if tuning.empty:
        return []
    named = [*fields, "target", "train size", "model", *_variant(tuning)]
    return [
        Heading("Tuning"),
        Table([_chosen(row, named) for _, row in _searches(tuning)]),
        Table([_expected(part, named, _shown(tuning)) for part, _ in _searches(tuning)]),
        *map(Remark, _remarks(tuning, entries)),
        legend(_LEGEND),
    ]


def brief(tuning: pd.DataFrame, entries: Sequence[Entry]) -> list[Shape]:
    """Tell the searches of a study for a screen: two tables for each section, target and train size."""
    if tuning.empty:
        return []
    named = ["model", *_variant(tuning)]
    shown = _shown(tuning)
    middle = [f"n = {n}" for n in shown[1:-1]]
    shapes: list[Shape] = []
    for _, group in tuning.groupby(list(GROUP), sort=False):
        first = group.iloc[0]
        size = f"{first['train_size']:,}"
        shapes += [
            Table(
                [_chosen(row, named) for _, row in _searches(group)],
                title=f"Tuning: {task(first['target'], first['unit'], size)}",
                optional=("failed", "trials"),
            ),
            Table(
                [_expected(part, named, shown) for part, _ in _searches(group)],
                title="Expected best validation MAE of n trials [95 %, bootstrap]",
                optional=("unit", *middle),
            ),
        ]
    return [*shapes, *map(Remark, _remarks(tuning, entries))]


def _remarks(tuning: pd.DataFrame, entries: Sequence[Entry]) -> Iterator[str]:
    """Say what stands in the way of a fair comparison."""
    numbers = sorted(set(tuning["num_trials"]))
    if len(numbers) > 1:
        of_model = dict.fromkeys(f"{row['model']} {row['num_trials']}" for _, row in _searches(tuning))
        yield (
            f"The numbers of trials differ ({', '.join(of_model)}): more trials are more chances. Compare the models "
            f"at n = {numbers[0]}, the last column of expected errors, not by their rows in the tables above."
        )
    draws: dict[Group, list[frozenset[tuple[Any, ...]]]] = {}
    for entry in entries:
        if entry.search and entry.key.group.target in set(tuning["target"]):
            draws.setdefault(entry.key.group, []).append(frozenset(trial.values for trial in entry.search))
    if any(not fewer <= more for found in draws.values() for fewer, more in itertools.pairwise(sorted(found, key=len))):
        yield (
            "Some models had other draws than others (other trials, another tuning.seed or other ranges): "
            "their chances were not the same."
        )


def _searches(tuning: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, "pd.Series[Any]"]]:
    """Divide the table by search; the series has what all rows of one share."""
    for _, part in tuning.groupby([*GROUP, "model", "variant"], sort=False):
        yield part, part.astype(object).iloc[0]


def _shown(tuning: pd.DataFrame) -> list[int]:
    """Return the powers of two up to the number of trials that all models have, and that number."""
    common = int(tuning["num_trials"].min())
    return sorted({2**power for power in range(common.bit_length())} | {common})


def _variant(tuning: pd.DataFrame) -> list[str]:
    return ["variant"] if tuning["variant"].any() else []


def _named(row: "pd.Series[Any]", named: list[str]) -> dict[str, str]:
    return {name: f"{row['train_size']:,}" if name == "train size" else row[name] for name in named}


def _chosen(row: "pd.Series[Any]", named: list[str]) -> dict[str, str]:
    counts = {
        "trials": str(row["num_trials"]),
        "failed": str(row["num_failed"]),
        "chosen trial": str(row["chosen_trial"]),
    }
    return _named(row, named) | counts | {name.partition(".")[2]: f"{row[name]:g}" for name in TUNED}


def _expected(part: pd.DataFrame, named: list[str], shown: list[int]) -> dict[str, str]:
    columns = ["validation_mae", "validation_mae_low", "validation_mae_high"]
    figures = part.set_index("n").loc[shown, columns].to_numpy(float)
    lowest = float(figures[:, 0].min())  # has four significant digits, as errors have in the tables above
    notation = notation_of(lowest, 4, otherwise=4)
    cells = {
        f"n = {n}": with_interval(value, low, high, notation).replace("inf", "∞")
        for n, (value, low, high) in zip(shown, figures, strict=True)
    }
    first = part.astype(object).iloc[0]
    return _named(first, named) | {"unit": first["unit"]} | cells
