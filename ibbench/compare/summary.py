"""A comparison over several targets, which never averages errors of different units."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ibbench.compare.columns import shared
from ibbench.compare.estimate import ALPHA
from ibbench.compare.rows import Entry
from ibbench.compare.study import mean_of

COLUMNS = {
    **shared("model", "variant", "train_size"),
    "num_targets": "number of targets that all rows were measured on",
    "mae_over_std_mean": "MAE over the standard deviation of the target, averaged over targets",
    "mean_rank": "mean rank among trained models over targets; 1 is the lowest error",
    "critical_difference": "by how much two mean ranks must differ at the 5 % level (Nemenyi's test)",
    "friedman_p": "p-value of Friedman's test that all models rank alike; from six different quantities on",
    "within_chemical_accuracy": "on how many targets the MAE is within chemical accuracy, of those that have one",
    **shared("hydrogens", "source", "split"),
}


def summarise(entries: Sequence[Entry]) -> pd.DataFrame:
    """Summarise each model over the targets of a section at one train size, where there are at least two.

    Returns:
        One row per model that was measured on all these targets, with `COLUMNS`: the mean of MAE / standard deviation
        of the target, the mean rank among trained models, the difference of mean ranks that is critical at the 5 %
        level (Nemenyi's test) and the p-value of Friedman's test that all rank alike (both as in Demsar 2006, J. Mach.
        Learn. Res. 7, 1). The last two are given only for targets of at least `MIN_BLOCKS` different quantities.
        `within_chemical_accuracy` is text such as `3 of 5`: of 5 targets that define a chemical accuracy, 3 are met.
    """
    rows: list[dict[str, Any]] = []
    for _, part in itertools.groupby(
        sorted(entries, key=lambda entry: (entry.key.group.section, entry.key.group.train_size)),
        key=lambda entry: (entry.key.group.section, entry.key.group.train_size),
    ):
        rows += _rows(list(part))
    return pd.DataFrame(rows, columns=list(COLUMNS))


MIN_BLOCKS = 6  # different quantities; with fewer, a test of ranks can hardly reject anything
_ONE_QUANTITY = dict.fromkeys(("u0", "u", "h", "g"), "energy") | dict.fromkeys(
    ("u0_atom", "u_atom", "h_atom", "g_atom"), "atomisation energy"
)


def count_blocks(targets: Sequence[str]) -> int:
    """Count the different quantities among targets: the four energies of QM9 (u0, u, h, g) are nearly the same one."""
    return len({_ONE_QUANTITY.get(target, target) for target in targets})


def critical_difference(num_models: int, num_targets: int) -> float:
    """Return by how much the mean ranks of two models must differ to be told apart at the level `ALPHA`.

    This is the critical difference of Nemenyi's test (Demsar 2006, J. Mach. Learn. Res. 7, 1, section 3.2.2).

    Args:
        num_models: number of models that are ranked, at least 2.
        num_targets: number of targets that count as independent.
    """
    from scipy import stats  # takes half a second to import, and only studies of several targets need it

    q = float(stats.studentized_range.ppf(1 - ALPHA, num_models, math.inf)) / math.sqrt(2)
    return q * math.sqrt(num_models * (num_models + 1) / (6 * num_targets))


def _rows(entries: list[Entry]) -> list[dict[str, Any]]:
    targets = list(dict.fromkeys((entry.key.group.target, entry.key.group.unit) for entry in entries))
    by_row: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_row.setdefault((entry.key.model, entry.key.variant), []).append(entry)
    complete = {row: found for row, found in by_row.items() if len(found) == len(targets)}
    if len(targets) < 2 or not complete:
        return []
    from scipy import stats  # slow to import, as in `critical_difference`

    trained = {row: found for row, found in complete.items() if not found[0].key.is_baseline}
    maes = np.array([[entry.sample.mae for entry in found] for found in trained.values()])
    ranks = dict(zip(trained, stats.rankdata(maes, axis=0).mean(1), strict=True)) if trained else {}
    defined = sum(entry.key.group.chemical_accuracy is not None for entry in next(iter(complete.values())))
    # Friedman's test needs three models or more whose ranks are not all equal; two have the verdict of their pair.
    blocks = count_blocks([target for target, _ in targets])
    ranked = len(trained) > 2 and len(set(ranks.values())) > 1 and blocks >= MIN_BLOCKS
    friedman = float(stats.friedmanchisquare(*maes).pvalue) if ranked else None
    return [
        {
            "model": row[0],
            "variant": row[1],
            "train_size": found[0].key.group.train_size,
            "num_targets": len(targets),
            "mae_over_std_mean": _mean_mae_over_std(found),
            "mean_rank": ranks.get(row),
            "critical_difference": critical_difference(len(trained), blocks)
            if len(trained) > 1 and blocks >= MIN_BLOCKS
            else None,
            "friedman_p": friedman,
            "within_chemical_accuracy": f"{sum(map(_is_chemically_accurate, found))} of {defined}" if defined else None,
            **found[0].key.group.section._asdict(),
        }
        for row, found in complete.items()
    ]


def _mean_mae_over_std(entries: list[Entry]) -> float | None:
    means = [mean_of([replica.tested.mae_over_std for replica in entry.replicas]) for entry in entries]
    return None if None in means else mean_of(means)


def _is_chemically_accurate(entry: Entry) -> bool:
    accuracy = entry.key.group.chemical_accuracy
    return accuracy is not None and entry.sample.mae <= accuracy
