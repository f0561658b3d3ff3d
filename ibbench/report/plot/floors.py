"""The floor of a model, the least error that it can have, read from the file that `ibbench probe` has written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ibbench.compare.variants import in_order
from ibbench.probes import LEAST_MAE
from ibbench.record.folder import PROBES
from ibbench.report.plot.style import Look
from ibbench.worth.curves import Curve

Floors = Mapping[tuple[str, str, str], float]  # least MAE in the target's unit, by target, model and variant in order
_LOWEST = 1 / 3  # share of a curve's lowest error below which no floor is drawn, since it would only stretch the axis


def read_floors(folder: Path) -> Floors:
    """Read the floors of a study.

    Args:
        folder: the folder of the study.

    Returns:
        The floors; none if the folder has no file of probes, or one that cannot be read.
    """
    try:
        table = pd.read_csv(folder / PROBES, keep_default_na=False, dtype={"target": str, "variant": str})
        rows = table[(table["probe"] == "floor") & (table["quantity"] == LEAST_MAE) & (table["part"] == "")]
        return {
            (row["target"], row["model"], in_order(row["variant"])): float(row["value"]) for _, row in rows.iterrows()
        }
    except (OSError, ValueError, KeyError):
        return {}


def draw_floor(axes: Any, curve: Curve, floors: Floors, look: Look) -> bool:
    """Draw the floor of a curve as a thin horizontal line, unless it is far below the curve.

    Args:
        axes: the axes of matplotlib to draw on.
        curve: the learning curve.
        floors: the floors of the study.
        look: the look of the curve, whose colour the line has.

    Returns:
        Whether a line was drawn.
    """
    key = curve.entries[-1].key
    floor = floors.get((curve.target, key.model, in_order(key.variant)), 0.0)
    if floor < _LOWEST * float(curve.maes.min()) or floor <= 0:
        return False
    axes.axhline(floor, color=look.color, linestyle=(0, (1, 3)), linewidth=0.9)
    return True
