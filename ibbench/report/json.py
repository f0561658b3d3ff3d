"""JSON for programs: figures with all digits, and null where a figure is unknown or infinite."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd


def write(content: Mapping[str, Any]) -> str:
    """Format names and values as JSON.

    Args:
        content: values that `json` can write, or tables, which become lists of rows, by their names.
    """
    plain = {name: _rows(value) if isinstance(value, pd.DataFrame) else value for name, value in content.items()}
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(cell) for name, cell in row.items()} for row in frame.astype(object).to_dict("records")]


def _plain(cell: Any) -> Any:
    value = cell.item() if hasattr(cell, "item") else cell
    return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value
