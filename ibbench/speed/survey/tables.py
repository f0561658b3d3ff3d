"""What a survey has measured, as tables."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from ibbench.speed.columns import AGREEMENT_COLUMNS, MEMORY_COLUMNS, PRECISION_COLUMNS, RATE_COLUMNS
from ibbench.speed.survey.folder import Taken
from ibbench.speed.survey.measurement import Scale, Way

AGREEMENT, RATES, MEMORY, PRECISION = "agreement.csv", "rates.csv", "memory.csv", "precision.csv"
TABLES = {
    AGREEMENT: AGREEMENT_COLUMNS,
    RATES: RATE_COLUMNS,
    MEMORY: MEMORY_COLUMNS,
    PRECISION: PRECISION_COLUMNS,
}
_KINDS = {AGREEMENT: {"agreement", "resume"}, RATES: {"rate", "peer"}, MEMORY: {"memory"}, PRECISION: {"error"}}


def make_tables(taken: Iterable[Taken], scale: Scale, standard_molecules: int) -> dict[str, pd.DataFrame]:
    """Return the tables of a survey by the names of their files, each with the columns that `TABLES` names.

    Args:
        taken: the measurements, in the order of the rows.
        scale: the sizes of the survey.
        standard_molecules: how many molecules one model of `experiment=standard` trains on, of all replicas and epochs.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for one in taken:
        for name, kinds in _KINDS.items():
            found[name] += one.rows if one.kind in kinds else []
    for row in found[RATES]:
        is_standard = (row["replicas"], row["batch_size"]) == scale.standard and row["who"] == "ours"
        hours = standard_molecules / row["molecules_per_second"] / 3600
        row["standard_hours"] = hours if is_standard else None
    found[PRECISION] = _compare_precisions(found[PRECISION])
    return {name: pd.DataFrame(rows, columns=list(TABLES[name])) for name, rows in found.items()}


def _compare_precisions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the mean errors over seeds of each precision with those of float32."""
    compared: list[dict[str, Any]] = []
    if not rows:
        return compared
    errors = pd.DataFrame(rows)
    for _, of_model in errors.groupby("model", sort=False):
        exact = of_model[of_model["precision"] == "float32"]["error"]
        for _, seeds in of_model.groupby("precision", sort=False):
            first = seeds.iloc[0]
            change = seeds["error"].mean() - exact.mean() if len(exact) else None
            is_exact = first["precision"] == "float32"
            compared.append(
                {name: first[name] for name in ("model", "precision", "target", "unit", "molecules_per_second")}
                | {
                    "num_seeds": len(seeds),
                    "error_mean": float(seeds["error"].mean()),
                    "error_std": float(seeds["error"].std()),
                    "change": None if is_exact or change is None else float(change),
                    "change_over_std": None if is_exact or change is None else float(abs(change) / exact.std()),
                }
            )
    return compared


def fastest_ways(rates: pd.DataFrame) -> dict[str, Way]:
    """Return for each model the way in which it trains the standard experiment fastest, if that was measured."""
    known = rates[rates["standard_hours"].notna()]
    return {str(row["model"]): row["way"] for _, row in known.sort_values("standard_hours", ascending=False).iterrows()}
