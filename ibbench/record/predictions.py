"""What a run predicted for each test molecule: written beside its record, read to compare runs molecule by molecule."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.files import write_atomically
from ibbench.record.evidence import BROKEN, Arrays, Rounded, round_errors
from ibbench.record.folder import PREDICTIONS, StudyFolder
from ibbench.record.schema import RECORD, BrokenError, Record

Floats = NDArray[np.float64]
_shared: dict[tuple[int, int], NDArray[Any]] = {}  # arrays that many runs of a study have, by checksum and size
_OF_ONE_RUN = {"prediction"}  # arrays that no two runs have in common
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
    replicas, _, errors = _read(folder, record)
    return dict(zip(replicas, np.abs(errors, out=errors), strict=True))


def read_predictions(folder: Path, record: Record) -> dict[tuple[str, int], tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each replica of a run.

    What predictions differ from true values by is rounded, as `record.evidence` says.

    Returns:
        Nothing for a run whose predictions were deleted: its seeds can still be compared.

    Raises:
        BrokenError: the file is damaged, or belongs to another record.
    """
    replicas, truth, errors = _read(folder, record)
    return dict(zip(replicas, zip(truth, truth + errors, strict=True), strict=True))


def open_predictions(folder: Path) -> "Predictions | None":
    """Return the arrays that a run has written of its predictions; None if they were deleted.

    Raises:
        BrokenError: the file is damaged.
    """
    path = folder / PREDICTIONS
    try:
        return Predictions(path.read_bytes()) if path.exists() else None
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None


def _read(folder: Path, record: Record) -> tuple[list[tuple[str, int]], Floats, Floats]:
    """Read the replicas of a run, and their true values and rounded errors, `[R, M]`."""
    path = folder / PREDICTIONS
    arrays: Arrays | None = open_predictions(folder)
    if not arrays and not (folder / RECORD).exists() and (evidence := StudyFolder.at(folder.parents[1]).evidence):
        path, arrays = Path(evidence.name), evidence.arrays(folder.name)
    if arrays is None:
        none = np.empty((0, 0))
        return [], none, none
    try:
        truth, rounded = arrays.plain("truth"), arrays.rounded("prediction")
        replicas = list(zip(arrays.plain("target").tolist(), arrays.plain("seed").tolist(), strict=True))
        found = dict(zip(replicas, rounded.mae.tolist(), strict=True))
        maes = {(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
        agree = found.keys() == maes.keys() and all(
            abs(mae - maes[replica]) <= _TINY + _AGREEMENT * maes[replica] for replica, mae in found.items()
        )
        if truth.shape != rounded.steps.shape or len(found) < len(replicas):
            raise ValueError("its arrays do not fit together")
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None
    if not agree:
        raise BrokenError(path, "its errors are not those of record.json, so they are not of the same run")
    return replicas, truth, rounded.errors


class Predictions:
    """The arrays of one run, in the content of its predictions.npz."""

    def __init__(self, content: bytes) -> None:
        self._content: Any = np.load(io.BytesIO(content), allow_pickle=False)

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def names(self) -> list[str]:
        """List the arrays."""
        return list(self._content)

    def sign(self, name: str) -> tuple[int, int]:
        """Return the checksum and size of an array, by which copies of it in other runs are known."""
        member = self._content.zip.getinfo(f"{name}.npy")
        return member.CRC, member.file_size

    def plain(self, name: str) -> NDArray[Any]:
        """Return an array; one that most runs share is unpacked once: that saves a quarter of the time of a table."""
        if name in _OF_ONE_RUN:
            return self._content[name]
        sign = self.sign(name)
        if sign not in _shared:
            if len(_shared) >= 16:
                _shared.clear()
            _shared[sign] = self._content[name]
            _shared[sign].setflags(write=False)
        return _shared[sign]

    def rounded(self, name: str) -> Rounded:
        """Return the errors of an array of predictions."""
        return round_errors(self.plain(name), self.plain("truth"))
