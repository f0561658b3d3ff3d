"""Figures that earlier commands have measured of a study: read from its folder, and kept beside those measured now."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ibbench.compare.variants import in_order
from ibbench.errors import InputError
from ibbench.probes.subject.measure import COLUMNS, Measured, sort_rows
from ibbench.record.folder import PROBES

_MODEL = ["train_size", "model", "variant"]
_FIGURES = ["target", *_MODEL, "seed", "at", "probe"]  # rows that agree in these are measured, and replaced, together


class Merged(NamedTuple):
    """The figures of a study after a command: those that were measured now, and those that are kept.

    Attributes:
        measured: all figures.
        num_kept: number of figures of earlier commands that are kept.
        num_dropped: number of figures of earlier commands that were neither kept nor measured again: they are of models
            that were measured now with other options, data, or numbers of molecules.
    """

    measured: Measured
    num_kept: int
    num_dropped: int


def read_earlier(folder: Path) -> pd.DataFrame:
    """Read the figures that earlier commands have written into the folder of a study.

    Args:
        folder: the folder of the study.

    Returns:
        One row per figure, with the columns of `ibbench.probes.subject.measure.COLUMNS`; no row if there is no file.

    Raises:
        InputError: the file is not one that `ibbench probe` has written.
    """
    path = folder / PROBES
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    text = dict.fromkeys(COLUMNS, str) | {"train_size": int, "value": float}
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=text)
        missing = [name for name in COLUMNS if name not in table.columns and name != "measured_with"]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        table["seed"] = pd.Series([int(seed) if seed else None for seed in table["seed"]], dtype=object)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} cannot be read: {reason}. Restore or remove it: nothing was measured") from None
    if "measured_with" not in table.columns:
        table["measured_with"] = ""  # a file of an older version, which does not say it
    return table[list(COLUMNS)]


def merge(earlier: pd.DataFrame, now: Measured) -> Merged:
    """Put the figures of earlier commands beside those that were measured now.

    A figure that was measured now replaces the earlier one. Of a model that was measured now, earlier figures are kept
    only if they were measured with the same options, data and number of molecules, so that figures in one table belong
    together.

    Args:
        earlier: the figures of earlier commands, as `read_earlier` returns them.
        now: the figures that were measured now.

    Returns:
        The figures in the order of tables, whichever command measured them.
    """
    if earlier.empty:
        return Merged(now, 0, 0)
    earlier = _named_as_now(earlier, now.table)
    with_what = {tuple(row): mark for *row, mark in now.table[[*_MODEL, "measured_with"]].drop_duplicates().to_numpy()}
    replaced = set(_figures(now.table))
    keep = []
    num_dropped = 0
    for one, mark in zip(_figures(earlier), earlier["measured_with"], strict=True):
        same = with_what.get(one[1:4], mark) == mark
        keep.append(same and one not in replaced)
        num_dropped += not same and one not in replaced
    kept = earlier[keep]
    table = sort_rows(pd.concat([kept, now.table], ignore_index=True)) if len(kept) else now.table
    return Merged(now._replace(table=table), len(kept), num_dropped)


def _figures(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return what each figure is of; a figure of two models is of the other one, too, which its part names."""
    rows = table[[*_FIGURES, "part"]].itertuples(index=False, name=None)
    return [row if str(row[-1]).startswith("with ") else row[:-1] for row in rows]


def _named_as_now(earlier: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return earlier figures with their variants named as now.

    What was measured with the same options is the same model, though another sweep has other options in its name; files
    of older versions do not say with what, and only the order of options may differ there.
    """
    written = {(size, model, in_order(text)): text for size, model, text in now[_MODEL].itertuples(index=False)}
    marked = {tuple(row): text for *row, text in now[["train_size", "model", "measured_with", "variant"]].to_numpy()}
    rows = earlier[[*_MODEL, "measured_with", "part"]].itertuples(index=False)
    variants = [
        text
        if part.startswith("with ")  # a figure of two models: the other one would keep its name
        else marked.get((size, model, mark), written.get((size, model, in_order(text)), text))
        for size, model, text, mark, part in rows
    ]
    return earlier.assign(variant=variants)
