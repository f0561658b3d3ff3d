"""Predictions as a DataFrame: the figures and remarks that `ibbench predict` writes, one row per SMILES."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ibbench.data.smiles_table import SmilesTable
from ibbench.errors import InputError, shorten
from ibbench.plugins.load import loaded_plugins
from ibbench.record.folder import DOMAIN, WEIGHTS
from ibbench.report.predictions import list_atoms, list_names
from ibbench.run.forecast import Crew, forecast, list_columns


def gather(ensembles: Mapping[str, tuple[Path, ...]], device: str, geometry: str | None = None) -> Crew:
    """Return the crew of runs that predicts, as the files of their folders are now.

    Args:
        ensembles: the folders of the runs of each ensemble, by the name of the ensemble; an empty name stands for the
            name of the model.
        device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.
        geometry: `etkdg` for coordinates from RDKit; None for none.
    """
    folders = {name: tuple(folder.absolute() for folder in runs) for name, runs in ensembles.items()}
    files = [folder / file for runs in folders.values() for folder in runs for file in (WEIGHTS, DOMAIN)]
    written = tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)
    return Crew(tuple(folders.items()), device, geometry, loaded_plugins(), written)


def predict_frame(crew: Crew, smiles: Iterable[str | None], names_models: bool) -> pd.DataFrame:
    """Predict molecules.

    Args:
        crew: the runs that predict, see `gather`.
        smiles: the molecules. None and NaN are treated as molecules that cannot be read. The index of a Series is kept.
        names_models: whether the names of columns contain the model, which is needed where there are several.

    Returns:
        One row per molecule in the order given: `smiles`; for each target and model the mean and the sample standard
        deviation over seeds, in the unit that the column names, NaN where nothing is predicted; and `remark`. Of a
        target of atoms cells are lists, one number per atom in the order of the SMILES, or None.

    Raises:
        InputError: `smiles` is not a collection of texts, or the runs cannot be loaded (see `load_crew`).
    """
    given = _list_smiles(smiles)
    columns = list_columns(crew)
    texts = [row.smiles for row in SmilesTable(["" if pd.isna(one) else one for one in given])]
    found = list(forecast(crew, texts, len(texts)))
    means, deviations = [part.mean for part in found], [part.deviation for part in found]
    both = np.stack([_join(means, len(columns)), _join(deviations, len(columns))], axis=1)
    of_columns = both.reshape(2 * len(columns), len(texts))
    *names, remark = list_names(columns)
    if not names_models:
        names = [_without(name, columns[0].ensemble) for name in names]
    index = smiles.index if isinstance(smiles, pd.Series) else pd.RangeIndex(len(texts))
    remarks = [text for part in found for text in part.remarks]
    shown = smiles if isinstance(smiles, pd.Series) else pd.Series(given, index, dtype=None if given else "str")
    cells = {"smiles": shown}
    cells |= {name: pd.Series(values, index) for name, values in zip(names, of_columns, strict=True)}
    for column in (place for place, one in enumerate(columns) if one.of_atoms):
        of_molecules = [list_atoms(part.atoms[column], at) for part in found for at in range(len(part.remarks))]
        for name, values in zip(names[2 * column : 2 * column + 2], zip(*of_molecules, strict=True), strict=True):
            cells[name] = pd.Series([one or None for one in values], index, dtype="object")
    return pd.DataFrame(cells | {remark: pd.Series(remarks, index, dtype="str")})


def _list_smiles(smiles: Iterable[str | None]) -> list[str | None]:
    if isinstance(smiles, str | bytes) or not isinstance(smiles, Iterable):
        raise InputError(f"`{shorten(str(smiles))}` is no list of SMILES: expected one, such as ['CCO']")
    given = list(smiles)
    for place, one in enumerate(given):
        if not isinstance(one, str) and not (pd.api.types.is_scalar(one) and pd.isna(one)):
            raise InputError(f"molecule {place} is `{shorten(repr(one))}`: expected a SMILES, such as 'CCO'")
    return given


def _join(parts: list[np.ndarray], num_columns: int) -> np.ndarray:
    return np.concatenate(parts, axis=1) if parts else np.empty((num_columns, 0))


def _without(name: str, model: str) -> str:
    """Leave the model out of the name of a column."""
    statistic = name.rpartition(" ")[2]
    return f"{name.removesuffix(f' {model} {statistic}')} {statistic}"
