"""Predictions of atoms in the files of a run: all places for atoms of all molecules in one row.

So rows are rounded, packed and checked like those of molecules. `places` says how many belong to a molecule, and a true
value of NaN that there is no atom.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.record.evidence import Arrays

PLACES = "places"  # array of runs with a target of atoms: N, the number of places for atoms of a molecule
Floats = NDArray[np.float64]


def flatten_atoms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of atoms `[R, M, N]` as rows `[R, M * N]`; values of molecules `[R, M]` as they are."""
    return values.reshape(len(values), -1)


def describe_places(truth: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the array that says how many places a molecule has; none for values of molecules `[R, M]`."""
    return {PLACES: np.array(truth.shape[2:])} if truth.ndim > 2 else {}


def places_of(arrays: Arrays) -> int | None:
    """Return how many places a molecule has in the rows of a run; None for a run with targets of molecules.

    Raises:
        ValueError: the rows do not divide into molecules.
    """
    if PLACES not in arrays:
        return None
    places = int(arrays.plain(PLACES)[0])
    if arrays.plain("truth").shape[-1] != places * len(arrays.plain("index")):
        raise ValueError("its arrays do not fit together")
    return places


def sum_atoms(truth: Floats, errors: Floats, places: int) -> Floats:
    """Return what each molecule contributes to the MAE over atoms, `[M]`, so that their mean is that MAE.

    It is the sum of absolute errors over its atoms, divided by the mean number of atoms of a molecule. Molecules
    without labels are left out.

    Args:
        truth: true values of a row, `[M * places]`.
        errors: predicted minus true values, `[M * places]`.
        places: how many places a molecule has.
    """
    real = ~np.isnan(truth).reshape(-1, places)
    totals = np.where(real, np.abs(errors).reshape(-1, places), 0).sum(1)
    labelled = real.any(1)
    return totals[labelled] * (labelled.sum() / real.sum())
