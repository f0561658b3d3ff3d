"""What a run predicted for each test molecule: written beside its record, read to compare runs molecule by molecule."""

import functools
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.schema import Record

FILE = "predictions.npz"
Floats = NDArray[np.float64]
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
        folder: of the run.
        index: of the test molecules in the data set, `[M]`.
        ids: what the source calls them, `[M]`.
        replicas: target and seed of each row.
        truth: in the unit of the row's target, `[R, M]`.
        prediction: the same of the model.
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
    write_atomically(folder / FILE, content.getvalue())


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
        InputError: the file is broken, or belongs to another record.
    """
    replicas, truth, prediction, _ = _read(folder, record)
    return dict(zip(replicas, zip(truth, prediction, strict=True), strict=True))


def _read(folder: Path, record: Record) -> tuple[list[tuple[str, int]], Floats, Floats, Floats]:
    """Read the replicas of a run, and their true values, predictions and absolute errors, `[R, M]`."""
    path = folder / FILE
    if not path.exists():
        none = np.empty((0, 0))
        return [], none, none, none
    try:
        content = _read_arrays(path.read_bytes(), ("target", "seed", "truth", "prediction"))
        truth, prediction = content["truth"], content["prediction"]
        errors = prediction - truth
        np.abs(errors, out=errors)
        replicas = list(zip(content["target"].tolist(), content["seed"].tolist(), strict=True))
        found = dict(zip(replicas, errors.mean(1).tolist(), strict=True))
        maes = {(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
        agree = found.keys() == maes.keys() and all(
            abs(mae - maes[replica]) <= _TINY + _AGREEMENT * maes[replica] for replica, mae in found.items()
        )
        if truth.shape != prediction.shape or len(found) < len(replicas):
            raise ValueError("its arrays do not fit together")
    except (
        OSError, ValueError, TypeError, IndexError, KeyError, EOFError, NotImplementedError, struct.error,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(f"{path} is not readable: {error}. Move its folder away and run again") from None
    if not agree:
        raise InputError(f"{path} and its record.json are not of the same run: move the folder away and run again")
    return replicas, truth, prediction, errors


def _read_arrays(content: bytes, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some arrays of an npz file, as `np.load` does in several times the time, which a thousand runs take.

    True values are the same in most runs of a study: what is compressed to the same bytes is decompressed once.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.getinfo(f"{name}.npy") for name in names}
    for name, member in members.items():
        name_size, extra_size = struct.unpack_from("<HH", content, member.header_offset + 26)
        start = member.header_offset + 30 + name_size + extra_size
        read = _read_array if name == "prediction" else _recall_array
        arrays[name] = read(content[start : start + member.compress_size], member.compress_type, member.CRC)
    return arrays


def _read_array(content: bytes, method: int, checksum: int) -> NDArray[Any]:
    if method == zipfile.ZIP_DEFLATED:
        content = zlib.decompress(content, -zlib.MAX_WBITS)  # as it is in a zip file, without a header
    if zlib.crc32(content) != checksum:
        raise zipfile.BadZipFile("Bad CRC-32")
    end = 10 + struct.unpack_from("<H", content, 8)[0]  # of the header of npy files of version 1.0
    shape, dtype = _header(content[:end])
    return np.frombuffer(content, dtype, offset=end).reshape(shape)


_recall_array = functools.lru_cache(maxsize=16)(_read_array)


@functools.lru_cache(maxsize=64)
def _header(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if version != (1, 0) or is_fortran or dtype.hasobject:
        raise ValueError("an array that ibbench has not written")
    return shape, dtype
