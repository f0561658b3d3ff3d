"""The history of a run: the errors of each replica after each validation."""

from pathlib import Path
from typing import Any

from ibbench.record.folder import HISTORY
from ibbench.record.schema import BrokenError

_COLUMNS = {"step", "epoch", "target", "seed", "learning_rate", "train_loss", "validation_mae"}


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of `history.csv`, in the order in which they were written.

    Args:
        folder: the folder of a run.

    Returns:
        One dictionary per replica and validation, with the columns of the file: `step` and `seed` as int, `target` as
        text, all others as float.

    Raises:
        BrokenError: there is no history, or it cannot be read.
    """
    import pandas as pd

    path = folder / HISTORY
    try:
        numbers = _COLUMNS - {"target", "step", "seed"}
        # A trial that diverged has no loss or error: such a cell is empty. No other text stands for NaN.
        empty = {name: [""] for name in numbers}
        found = pd.read_csv(path, dtype={"target": str}, keep_default_na=False, na_values=empty)
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error)) from None
    except ValueError as error:  # also where the file is empty
        raise BrokenError(path, str(error).splitlines()[0]) from None
    if missing := sorted(_COLUMNS - set(found.columns)):
        raise BrokenError(path, f"it has no column {missing[0]}")
    try:
        typed = found.astype(dict.fromkeys(numbers, "float64") | {"step": "int64", "seed": "int64"})
    except ValueError as error:
        raise BrokenError(path, str(error).splitlines()[0]) from None
    rows: list[dict[str, Any]] = typed.to_dict("records")  # type: ignore[assignment]
    return rows
