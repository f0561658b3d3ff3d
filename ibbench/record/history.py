"""The history of a run: what each replica's errors were after each validation."""

from pathlib import Path
from typing import Any

from ibbench.record.folder import HISTORY
from ibbench.record.schema import BrokenError

_COLUMNS = {"step", "epoch", "target", "seed", "learning_rate", "train_loss", "validation_mae"}


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of `history.csv`, in the order in which they were written.

    Args:
        folder: that of a run.

    Raises:
        BrokenError: there is none, or it cannot be read.
    """
    import pandas as pd

    path = folder / HISTORY
    try:
        found = pd.read_csv(path, dtype={"target": str}, keep_default_na=False)
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error)) from None
    except ValueError as error:  # that it is empty, too
        raise BrokenError(path, str(error).splitlines()[0]) from None
    if missing := sorted(_COLUMNS - set(found.columns)):
        raise BrokenError(path, f"it has no column {missing[0]}")
    try:
        numbers = _COLUMNS - {"target", "step", "seed"}
        typed = found.astype(dict.fromkeys(numbers, "float64") | {"step": "int64", "seed": "int64"})
    except ValueError as error:
        raise BrokenError(path, str(error).splitlines()[0]) from None
    rows: list[dict[str, Any]] = typed.to_dict("records")  # type: ignore[assignment]
    return rows
