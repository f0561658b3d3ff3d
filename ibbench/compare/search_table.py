"""The searches of a study as a table: the chosen trials, and the expected best error of n trials."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ibbench.compare.search import expected_best, expected_best_interval, winner
from ibbench.compare.study import Entry, Study
from ibbench.options.trial import TUNED

COLUMNS = [
    "model", "variant", "target", "unit", "train_size", "num_trials", "num_failed", "chosen_trial", *TUNED,
    "n", "validation_mae", "validation_mae_low", "validation_mae_high",
    "hydrogens", "source", "split",
]  # fmt: skip


def tuning_table(study: Study) -> pd.DataFrame:
    """Return the expected best error of n trials, for each row of the study that a search stands behind and each n.

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
