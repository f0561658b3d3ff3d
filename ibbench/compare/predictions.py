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

from ibbench.compare.record import Record
from ibbench.errors import InputError
from ibbench.files import write_atomically

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
    return {replica: errors for replica, (_, _, errors) in _read(folder, record).items()}


def read_predictions(folder: Path, record: Record) -> dict[tuple[str, int], tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each replica of a run.

    Returns:
        Nothing for a run whose predictions were deleted: its seeds can still be compared.

    Raises:
        InputError: the file is broken, or belongs to another record.
    """
    return {replica: (truth, prediction) for replica, (truth, prediction, _) in _read(folder, record).items()}


def _read(folder: Path, record: Record) -> dict[tuple[str, int], tuple[Floats, Floats, Floats]]:
    """Read true values, predictions and absolute errors."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        content = _read_arrays(path.read_bytes(), ("target", "seed", "truth", "prediction"))
        errors = np.abs(content["prediction"] - content["truth"])
        values = zip(content["truth"], content["prediction"], errors, strict=True)
        replicas = zip(content["target"].tolist(), content["seed"].tolist(), strict=True)
        found = dict(zip(replicas, values, strict=True))
        maes = {(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
        agree = found.keys() == maes.keys() and all(
            abs(float(of_one.mean()) - maes[replica]) <= _TINY + _AGREEMENT * maes[replica]
            for replica, (_, _, of_one) in found.items()
        )
    except (
        OSError, ValueError, TypeError, IndexError, KeyError, EOFError, NotImplementedError, struct.error,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(f"{path} is not readable: {error}. Move its folder away and run again") from None
    if not agree:
        raise InputError(f"{path} and its record.json are not of the same run: move the folder away and run again")
    return found


def _read_arrays(content: bytes, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some arrays of an npz file, as `np.load` does in several times the time; a thousand runs are a command's.

    True values are the same in most runs of a study: what is compressed to the same bytes is decompressed once.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in names:
            member = archive.getinfo(f"{name}.npy")
            if name == "prediction" or member.compress_type != zipfile.ZIP_DEFLATED:
                arrays[name] = _array(archive.read(member))
            else:
                name_size, extra_size = struct.unpack_from("<HH", content, member.header_offset + 26)
                start = member.header_offset + 30 + name_size + extra_size
                arrays[name] = _decompressed(content[start : start + member.compress_size], member.CRC)
    return arrays


@functools.lru_cache(maxsize=16)
def _decompressed(compressed: bytes, checksum: int) -> NDArray[Any]:
    content = zlib.decompress(compressed, -zlib.MAX_WBITS)  # as it is in a zip file, without a header
    if zlib.crc32(content) != checksum:
        raise zipfile.BadZipFile("bad checksum")
    return _array(content)


def _array(content: bytes) -> NDArray[Any]:
    """Read the content of an npy file of version 1.0."""
    end = 10 + struct.unpack_from("<H", content, 8)[0]
    shape, dtype = _header(content[:end])
    return np.frombuffer(content, dtype, offset=end).reshape(shape)


@functools.lru_cache(maxsize=64)
def _header(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if version != (1, 0) or is_fortran or dtype.hasobject:
        raise ValueError("an array that ibbench has not written")
    return shape, dtype
