"""What a run predicted for each test molecule: written beside its record, read to compare runs molecule by molecule."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibbench.compare.record import Record
from ibbench.errors import InputError
from ibbench.files import write_atomically

FILE = "predictions.npz"
Floats = NDArray[np.float64]
_AGREEMENT = 1e-6  # relative: the record's MAE is a sum in another order, no more


def write_predictions(
    folder: Path,
    *,
    index: NDArray[np.int64],
    ids: NDArray[np.int64],
    replicas: Sequence[tuple[str, int]],
    truth: NDArray[np.float64],
    prediction: NDArray[np.float64],
) -> None:
    """Write the test predictions of a run.

    Args:
        folder: of the run.
        index: of the test molecules in the data set, `[M]`.
        ids: what the source calls them, `[M]`.
        replicas: target and seed of each row.
        truth: in the unit of the row's target, `[R, M]`.
        prediction: the same of the model.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        index=index,
        id=ids,
        target=np.array([target for target, _ in replicas]),
        seed=np.array([seed for _, seed in replicas]),
        truth=truth,
        prediction=prediction,
    )
    write_atomically(folder / FILE, content.getvalue())


def read_errors(folder: Path, record: Record) -> dict[tuple[str, int], Floats]:
    """Read the absolute error of each test molecule, `[M]` in the target's unit, for each (target, seed) of a run.

    Returns and raises what `read_predictions` does.
    """
    return {
        replica: np.abs(prediction - truth) for replica, (truth, prediction) in read_predictions(folder, record).items()
    }


def read_predictions(folder: Path, record: Record) -> dict[tuple[str, int], tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each replica of a run.

    Returns:
        Nothing for a run whose predictions were deleted: its seeds can still be compared.

    Raises:
        InputError: the file is broken, or belongs to another record.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            values = zip(content["truth"], content["prediction"], strict=True)
            replicas = zip(content["target"].tolist(), content["seed"].tolist(), strict=True)
            found = dict(zip(replicas, values, strict=True))
        maes = {(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
        agree = found.keys() == maes.keys() and all(
            np.isclose(np.abs(prediction - truth).mean(), maes[replica], rtol=_AGREEMENT)
            for replica, (truth, prediction) in found.items()
        )
    except (OSError, ValueError, TypeError, IndexError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is not readable: {error}. Move its folder away and run again") from None
    if not agree:
        raise InputError(f"{path} and its record.json are not of the same run: move the folder away and run again")
    return found
