"""What a run and its baselines predicted for each test molecule: read to compare them molecule by molecule."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.folder import PREDICTIONS
from ibbench.record.schema import Record

Floats = NDArray[np.float64]
_shared: dict[tuple[int, int], NDArray[Any]] = {}  # arrays that many runs of a study have, by checksum and size
_AGREEMENT = 1e-6  # relative: the record's MAE is a sum in another order, no more
_TINY = 1e-8  # absolute, of an MAE that is nearly zero
_BASELINES, _OF_BASELINES = "baseline", "baseline_prediction"  # arrays that files of older versions lack


class Predictor(NamedTuple):
    """Who made a row of predictions.

    Attributes:
        target: what is predicted.
        seed: of the replica.
        baseline: name of the baseline that was fitted to the replica's train subset; empty for the replica itself.
    """

    target: str
    seed: int
    baseline: str = ""


def write_predictions(
    folder: Path,
    *,
    index: NDArray[np.int64],
    ids: NDArray[np.int64],
    replicas: Sequence[tuple[str, int]],
    truth: NDArray[np.float64],
    prediction: NDArray[np.float64],
    baselines: Mapping[str, NDArray[np.float64]] | None = None,
) -> None:
    """Write the test predictions of a run, and those of the baselines beside it.

    Args:
        folder: the folder of the run.
        index: positions of the test molecules in the data set, `[M]`.
        ids: names that the source gives them, `[M]`.
        replicas: target and seed of each row.
        truth: true values, in the unit of the row's target, `[R, M]`.
        prediction: predicted values, likewise.
        baselines: predicted values of each baseline, by its name; likewise, with one row per replica.
    """
    arrays = {
        "index": index,
        "id": ids,
        "target": np.array([target for target, _ in replicas]),
        "seed": np.array([seed for _, seed in replicas]),
        "truth": truth,
        "prediction": prediction,
    }
    if baselines:
        arrays |= {_BASELINES: np.array(list(baselines)), _OF_BASELINES: np.stack(list(baselines.values()))}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            # The last digits of predictions are noise: compressed, they take 10 % less, and several times the time.
            method = zipfile.ZIP_STORED if name == "prediction" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), file.getvalue(), method)
    write_atomically(folder / PREDICTIONS, content.getvalue())


def read_errors(folder: Path, record: Record, baselines: bool = True) -> dict[Predictor, Floats]:
    """Read the absolute error of each test molecule, `[M]` in the target's unit, for each predictor of a run.

    Takes, returns and raises what `read_predictions` does.
    """
    return {who: row for block in _read(folder, record, baselines) for who, row in zip(block[0], block[3], strict=True)}


def read_predictions(folder: Path, record: Record, baselines: bool = True) -> dict[Predictor, tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each predictor of a run.

    Args:
        folder: the folder of the run.
        record: its record.
        baselines: whether those of baselines are read, too.

    Returns:
        Those of the replicas, and those of the baselines if the file has them: older versions did not write them.
        Nothing for a run whose predictions were deleted: its seeds can still be compared.

    Raises:
        InputError: the file is broken, or belongs to another record.
    """
    blocks = _read(folder, record, baselines)
    return {who: rows for block in blocks for who, *rows in zip(*block[:3], strict=True)}  # type: ignore[misc]


_Block = tuple[list[Predictor], Floats, Floats, Floats]  # with true values, predictions and absolute errors, `[R, M]`


def _read(folder: Path, record: Record, baselines: bool) -> list[_Block]:
    """Read the predictors of a run: a block of its replicas, and one for each baseline."""
    path = folder / PREDICTIONS
    if not path.exists():
        return []
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            truth = _read_shared(content, "truth")
            replicas = list(zip(*(_read_shared(content, name).tolist() for name in ("target", "seed")), strict=True))
            by_name = {"": content["prediction"]}
            if baselines and _BASELINES in content:
                by_name |= dict(zip(_read_shared(content, _BASELINES).tolist(), content[_OF_BASELINES], strict=True))
        blocks = [_block(name, replicas, truth, prediction) for name, prediction in by_name.items()]
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is not readable: {error}. Move its folder away and run again") from None
    maes = {Predictor(entry.target, entry.seed): entry.test.mae for entry in record.replicas}
    for baseline in record.baselines:
        maes |= {Predictor(entry.target, entry.seed, baseline.name): entry.test.mae for entry in baseline.replicas}
    found = {who: mae for block in blocks for who, mae in zip(block[0], block[3].mean(1).tolist(), strict=True)}
    expected = {who for who in maes if who.baseline in by_name}
    if found.keys() != expected or any(
        not abs(mae - maes[who]) <= _TINY + _AGREEMENT * maes[who] for who, mae in found.items()
    ):
        raise InputError(f"{path} and its record.json are not of the same run: move the folder away and run again")
    return blocks


def _block(baseline: str, replicas: list[tuple[str, int]], truth: Floats, prediction: Floats) -> _Block:
    predictors = [Predictor(target, seed, baseline) for target, seed in replicas]
    if truth.shape != prediction.shape or len(set(predictors)) < len(predictors):
        raise ValueError("its arrays do not fit together")
    errors = prediction - truth
    return predictors, truth, prediction, np.abs(errors, out=errors)


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
