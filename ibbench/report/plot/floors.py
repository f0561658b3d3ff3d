"""The least error that a model can have at all, as far as the study's folder says: `ibbench probe` finds it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ibbench.probes import LEAST_MAE
from ibbench.record.folder import PROBES
from ibbench.report.plot.style import Look
from ibbench.worth.curves import Curve

Floors = Mapping[tuple[str, str, str], float]  # in the target's unit, by target, model and variant
_LOWEST = 1 / 3  # of the lowest error of a picture: a line further below would only stretch its axis


def read_floors(folder: Path) -> Floors:
    """Read the floors of a study; none where no probe has left any, or its file is of another kind.

    Args:
        folder: the folder of the study.
    """
    try:
        table = pd.read_csv(folder / PROBES, keep_default_na=False, dtype={"target": str, "variant": str})
        rows = table[(table["probe"] == "floor") & (table["quantity"] == LEAST_MAE) & (table["part"] == "")]
        return {(row["target"], row["model"], row["variant"]): float(row["value"]) for _, row in rows.iterrows()}
    except (OSError, ValueError, KeyError):
        return {}


def draw_floor(axes: Any, curve: Curve, floors: Floors, look: Look) -> bool:
    """Draw the floor of a curve as a thin line across; return whether it has one that is near enough."""
    key = curve.entries[-1].key
    floor = floors.get((curve.target, key.model, key.variant), 0.0)
    if floor < _LOWEST * float(curve.maes.min()) or floor <= 0:
        return False
    axes.axhline(floor, color=look.color, linestyle=(0, (1, 3)), linewidth=0.9)
    return True
