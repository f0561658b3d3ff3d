"""Which part of a split each molecule is in, as a CSV in the folder of a study."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibbench.files import write_atomically
from ibbench.record.folder import SPLIT

SPLIT_COLUMNS = {
    "id": "number that the data source gives the molecule, or else its row in the source, counted from 1",
    "smiles": "the molecule as the source spells it",
    "part": "`train`, `validation` or `test`; empty where the split leaves the molecule out. Each seed draws the "
    "molecules that it trains on from `train`",
}


def split_path(study: Path, fingerprint: str) -> Path:
    """Return the file of a split in the folder of a study.

    Args:
        study: the folder of the study.
        fingerprint: fingerprint of the split, as in the column `split` of table.csv.
    """
    return study / SPLIT.format(fingerprint)


def write_split(path: Path, ids: NDArray[np.int64], smiles: Sequence[str], parts: NDArray[np.str_]) -> None:
    """Write the parts of all molecules of a data set, in its order, with `SPLIT_COLUMNS`.

    Args:
        path: the file.
        ids: numbers of the molecules, `[M]`.
        smiles: their SMILES, `[M]`.
        parts: the part of each molecule, `[M]`; an empty text where it is in none.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(SPLIT_COLUMNS)
    rows.writerows(zip(ids.tolist(), smiles, parts.tolist(), strict=True))
    write_atomically(path, text.getvalue())
