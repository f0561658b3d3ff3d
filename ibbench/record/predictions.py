"""What a run predicted for each test molecule: written beside its record, read to compare runs molecule by molecule."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.files import write_atomically
from ibbench.record.folder import PREDICTIONS
from ibbench.record.schema import BrokenError, Record

Floats = NDArray[np.float64]
_shared: dict[tuple[int, int], NDArray[Any]] = {}  # arrays that many runs of a study have, by checksum and size
_AGREEMENT = 1e-6  # relative: the record's MAE is a sum in another order, no more
_TINY = 1e-8  # absolute, of an MAE that is nearly zero


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
        folder: the folder of the run.
        index: positions of the test molecules in the data set, `[M]`.
        ids: names that the source gives them, `[M]`.
        replicas: target and seed of each row.
        truth: true values, in the unit of the row's target, `[R, M]`.
        prediction: predicted values, likewise.
    """
    arrays = {
        "index": index,
        "id": ids,
        "target": np.array([target for target, _ in replicas]),
        "seed": np.array([seed for _, seed in replicas]),
        "truth": truth,
        "prediction": prediction,
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            # The last digits of predictions are noise: compressed, they take 10 % less, and several times the time.
            method = zipfile.ZIP_STORED if name == "prediction" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), file.getvalue(), method)
    write_atomically(folder / PREDICTIONS, content.getvalue())


def check_archive(folder: Path) -> None:
    """Check, in a tenth of the time that reading takes, that the predictions of a run are a whole file.

    Args:
        folder: the folder of the run; predictions that were deleted are no fault.

    Raises:
        BrokenError: the file was cut off, or is no archive.
    """
    path = folder / PREDICTIONS
    try:
        zipfile.ZipFile(path).close()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except zipfile.BadZipFile as error:
        raise BrokenError(path, str(error)) from None


def read_errors(folder: Path, record: Record) -> dict[tuple[str, int], Floats]:
    """Read the absolute error of each test molecule, `[M]` in the target's unit, for each (target, seed) of a run.

    Returns and raises what `read_predictions` does.
    """
    replicas, _, _, errors = _read(folder, record)
    return dict(zip(replicas, errors, strict=True))


def read_predictions(folder: Path, record: Record) -> dict[tuple[str, int], tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each replica of a run.

    Returns:
        Nothing for a run whose predictions were deleted: its seeds can still be compared.

    Raises:
        BrokenError: the file is damaged, or belongs to another record.
    """
    replicas, truth, prediction, _ = _read(folder, record)
    return dict(zip(replicas, zip(truth, prediction, strict=True), strict=True))


def _read(folder: Path, record: Record) -> tuple[list[tuple[str, int]], Floats, Floats, Floats]:
    """Read the replicas of a run, and their true values, predictions and absolute errors, `[R, M]`."""
    path = folder / PREDICTIONS
    if not path.exists():
        none = np.empty((0, 0))
        return [], none, none, none
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            truth, prediction = _read_shared(content, "truth"), content["prediction"]
            named = _read_shared(content, "target").tolist(), _read_shared(content, "seed").tolist()
        errors = prediction - truth
        np.abs(errors, out=errors)
        replicas = list(zip(*named, strict=True))
        found = dict(zip(replicas, errors.mean(1).tolist(), strict=True))
        maes = {(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
        agree = found.keys() == maes.keys() and all(
            abs(mae - maes[replica]) <= _TINY + _AGREEMENT * maes[replica] for replica, mae in found.items()
        )
        if truth.shape != prediction.shape or len(found) < len(replicas):
            raise ValueError("its arrays do not fit together")
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenError(path, str(error)) from None
    if not agree:
        raise BrokenError(path, "its errors are not those of record.json, so they are not of the same run")
    return replicas, truth, prediction, errors


def _read_shared(content: Any, name: str) -> NDArray[Any]:
    """Read an array that is the same in most runs of a study: it is unpacked once, a quarter of the time of a table."""
    member = content.zip.getinfo(f"{name}.npy")
    key = member.CRC, member.file_size
    if key not in _shared:
        if len(_shared) >= 16:
            _shared.clear()
        _shared[key] = content[name]
        _shared[key].setflags(write=False)
    return _shared[key]
