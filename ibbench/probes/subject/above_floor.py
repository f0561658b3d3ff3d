"""How far the errors of trained models are above the least error that their models can have."""

import pandas as pd

from ibbench.probes import LEAST_MAE
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.truth import Truth

COLUMNS = ("target", "train_size", "name", "unit", "mae", "mae_low", "mae_high", "floor")


def above_floor(table: pd.DataFrame, candidates: list[Candidate], truth: Truth) -> pd.DataFrame:
    """Set the test MAE of each trained model beside its floor, see the probe `floor`.

    Args:
        table: the figures of the study.
        candidates: the models.
        truth: the trained models.

    Returns:
        One row per target, train size and model that is trained and whose floor is measured, with `COLUMNS`: errors in
        the unit of the row.
    """
    floors = table[(table["probe"] == "floor") & (table["quantity"] == LEAST_MAE) & (table["part"] == "")]
    here = {(one.point.split.train_size, one.point.config.model.name, one.variant): one for one in candidates}
    rows = []
    for _, row in floors.iterrows():
        one = here.get((row["train_size"], row["model"], row["variant"]))
        entry = truth.of(one, row["target"]) if one else None
        if one and entry:
            low, high = entry.sample.mae_interval() or (None, None)
            errors = entry.sample.mae, low, high, row["value"]
            rows.append((row["target"], row["train_size"], one.name, row["unit"], *errors))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
