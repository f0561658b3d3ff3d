"""What a study tells of its tuning: the chosen trials, and the expected best error of n trials, as table and text."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.text import Text

from ibbench.compare.search import expected_best, expected_best_interval, winner
from ibbench.compare.study import Entry, Group, Study
from ibbench.compare.table import GROUP
from ibbench.options.trial import TUNED
from ibbench.report.cells import TEXT_COLUMNS, markdown_table, with_interval
from ibbench.terminal import fitting_table

COLUMNS = [
    "model", "variant", "target", "unit", "train_size", "num_trials", "num_failed", "chosen_trial", *TUNED,
    "n", "validation_mae", "validation_mae_low", "validation_mae_high",
    "hydrogens", "source", "split",
]  # fmt: skip
_LEGEND = (
    "Every model is trained with the same random draws of these options; the tables above have, of each, the trial "
    "with the lowest validation MAE. n = 4: the lowest validation MAE (mean over seeds) that is to be expected of 4 "
    "trials (unbiased, Tang et al. 2020), with the 95 % percentile interval of a bootstrap over trials, which is too "
    "narrow where n is near the number of trials. A failed trial counts as an infinite error."
)


def tuning_table(study: Study) -> pd.DataFrame:
    """Return for each row of the study that a search stands behind, and each n, the expected best of n trials.

    Returns:
        The columns `COLUMNS`, n from 1 to the number of the row's trials; empty for a study without trials.
    """
    rows = [row for entry in study.entries if entry.search for row in _rows(entry)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    errors = np.array([trial.validation_mae for trial in entry.search])
    best = winner(entry.search)
    group = entry.key.group
    facts = {
        "model": entry.key.model,
        "variant": entry.key.variant,
        "target": group.target,
        "unit": group.unit,
        "train_size": group.train_size,
        "num_trials": len(errors),
        "num_failed": int(np.isinf(errors).sum()),
        "chosen_trial": best.number,
        **dict(zip(TUNED, best.values, strict=True)),
        **group.section._asdict(),
    }
    low, high = expected_best_interval(errors)
    for n, figures in enumerate(zip(expected_best(errors), low, high, strict=True), 1):
        names = ("validation_mae", "validation_mae_low", "validation_mae_high")
        yield facts | {"n": n} | dict(zip(names, figures, strict=True))


def to_markdown_lines(tuning: pd.DataFrame, entries: Sequence[Entry], fields: list[str]) -> list[str]:
    """Format what `tuning_table` returns as a section of table.md, which is empty if that is.

    Args:
        tuning: of some or all targets.
        entries: of the study.
        fields: columns that come first.
    """
    if tuning.empty:
        return []
    named = [*fields, "target", "train size", "model", *_variant(tuning)]
    lines = ["## Tuning", "", *markdown_table([_chosen(row, named) for _, row in _searches(tuning)]), ""]
    lines += [*markdown_table([_expected(part, named, _shown(tuning)) for part, _ in _searches(tuning)]), ""]
    return [*lines, *(f"{remark}\n" for remark in tuning_remarks(tuning, entries)), _LEGEND, ""]


def to_terminal_parts(tuning: pd.DataFrame, entries: Sequence[Entry], width: int) -> Iterator[RenderableType]:
    """Format what `tuning_table` returns for a terminal: two tables a (section, target, train size)."""
    if tuning.empty:
        return
    named = ["model", *_variant(tuning)]
    shown = _shown(tuning)
    for _, group in tuning.groupby(list(GROUP), sort=False):
        first = group.iloc[0]
        task = f"{first['target']} in {first['unit'] or 'no unit'}, {first['train_size']:,} train molecules"
        chosen = [_chosen(row, named) for _, row in _searches(group)]
        yield fitting_table(f"Tuning: {task}", chosen, TEXT_COLUMNS, width, ("failed", "trials"))
        expected = [_expected(part, named, shown) for part, _ in _searches(group)]
        middle = [f"n = {n}" for n in shown[1:-1]]
        title = "Expected best validation MAE of n trials [95 %, percentile bootstrap]"
        yield fitting_table(title, expected, TEXT_COLUMNS, width, ("unit", *middle))
    yield from map(Text, tuning_remarks(tuning, entries))


def tuning_remarks(tuning: pd.DataFrame, entries: Sequence[Entry]) -> Iterator[str]:
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
    decimals = max(0, 3 - math.floor(math.log10(lowest))) if 0 < lowest < math.inf else 4
    cells = {
        f"n = {n}": with_interval(value, low, high, decimals).replace("inf", "∞")
        for n, (value, low, high) in zip(shown, figures, strict=True)
    }
    first = part.astype(object).iloc[0]
    return _named(first, named) | {"unit": first["unit"]} | cells
