"""Evidence: the data behind the tables of a study, in one file that is small enough for git.

It holds the records of all runs and the content of their predictions.npz. Predictions are kept as errors, rounded to a
fortieth of the MAE of their row: eight bits instead of 64, while the variance of an error over molecules grows by
0.005 % of the squared MAE. Log losses of classes are rounded to a part in 2,000 of their mean. The errors that
statistics are computed from are always rounded so (`record.predictions`), whether they come from predictions.npz or
from here: both give the same digits. Means over molecules stay exact.

The file is a zip of `evidence.json` (records; for each run the members that hold its arrays) and .npy members:
`NAME-i.npy` is an array as it was, `NAME-i/` the errors of predictions: `(256 coarse + fine) mae / 40`, or `/ 2000` in
rows of classes. An array that several runs share is stored once. `coarse` has few different values, so zlib packs it
well in an array of its own.
"""

import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.options.sources import PATHS
from ibbench.record.schema import Record, explain_unreadable, read_versioned

SCHEMA_VERSION = 1
BROKEN = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)  # raised by damaged files
_PARTS = 40  # rounded errors are whole multiples of the MAE divided by this
# Those of classes are finer: probabilities near 0 and 1 that are rounded to the same one would spoil their ranking.
_PARTS_OF_CLASSES = 2000
CLASSES = "is_class"  # array of runs that have classes
_INDEX, _TRUTH = "evidence.json", "truth"
_REMEDY = "Restore it; where the runs are at hand, remove it, and `ibbench table` packs it again"
_DATE = (1980, 1, 1, 0, 0, 0)  # date of all members, so that the same study gives the same file

Floats = NDArray[np.float64]
Array = NDArray[Any]


class Rounded(NamedTuple):
    """Rounded errors of one or more rows of predictions; a row belongs to one predictor.

    Attributes:
        steps: errors as whole multiples of a part of the row's MAE, with their signs, `[..., M]`.
        mae: mean absolute error of each row before rounding, in the target's unit, `[...]`.
        parts: number of such parts in the MAE, `[...]`: 40, or 2,000 where the target is a class.
    """

    steps: Floats
    mae: Floats
    parts: Floats

    @property
    def errors(self) -> Floats:
        """Predicted minus true values, rounded, in the target's unit, `[..., M]`."""
        return self.steps * _unit(self.mae, self.parts)


class Arrays(Protocol):
    """The arrays of one run, from its predictions.npz or from evidence."""

    def plain(self, name: str) -> Array:
        """Return an array as it was written."""

    def rounded(self, name: str) -> Rounded:
        """Return the rounded errors of an array of predictions."""

    def __contains__(self, name: str) -> bool: ...


class Packable(Arrays, Protocol):
    """The arrays of one run, so that they can be packed."""

    def names(self) -> Iterable[str]:
        """List the names of the arrays."""

    def is_predicted(self, name: str) -> bool:
        """Whether an array holds predictions, whose errors are packed."""

    def sign(self, name: str) -> tuple[int, int]:
        """Return the checksum and size of an array, by which the same array in other runs is recognised."""


def round_errors(prediction: Floats, truth: Floats, is_class: NDArray[np.bool_] | None = None) -> Rounded:
    """Round the errors of predictions to multiples of a fortieth of their MAE; of classes, of a part in 2,000.

    The error of a class is the log loss in nats, ln(1 + exp(z)) for the logit z and the class 0. For the class 1 it is
    -ln(1 + exp(-z)): its sign says whether the probability of class 1 was too high or too low, as of other targets.

    Args:
        prediction: predicted values, in the target's unit, `[..., M]`; of a class, logits.
        truth: true values, in the same unit, of a shape that broadcasts to that of `prediction`; of a class, 0 or 1.
            Where a molecule lacks a label it is NaN: its error is then 0, and not in the MAE.
        is_class: whether the target of a row is a class, of a shape that broadcasts to `[...]`; None if none is.
    """
    errors = prediction - truth
    if is_class is not None:
        side = 1 - 2 * truth
        with np.errstate(invalid="ignore"):  # of missing labels, which are replaced below
            errors = np.where(is_class[..., None], side * np.logaddexp(0, side * prediction), errors)
    missing = np.isnan(truth)
    mae = np.abs(errors).mean(-1)
    if missing.any():
        errors = np.where(missing, 0.0, errors)
        mae = np.abs(errors).sum(-1) / (~missing).sum(-1)
    with np.errstate(all="ignore"):  # a file with infinities is refused later, for its MAE
        parts = count_parts(mae, is_class)
        errors /= _unit(mae, parts)
    return Rounded(np.rint(errors, out=errors), mae, parts)


def count_parts(mae: Floats, is_class: NDArray[np.bool_] | None) -> Floats:
    """Return into how many parts the MAE of each row is divided when its errors are rounded, of the shape of `mae`."""
    parts = np.full(mae.shape, float(_PARTS))
    if is_class is not None:
        parts[..., is_class] = _PARTS_OF_CLASSES
    return parts


def _unit(mae: Floats, parts: Floats) -> Floats:
    unit = (mae / parts)[..., None]
    return np.where(unit > 0, unit, 1.0)  # where all errors are 0, any unit will do


def pack_evidence(records: Iterable[Record], arrays_of: Callable[[str], Packable | None]) -> bytes:
    """Return the content of the evidence file of a study.

    Args:
        records: the records of all runs, in the order of their names.
        arrays_of: function that returns the arrays of a run, by its name, from predictions.npz or from older evidence;
            None if its predictions were deleted.
    """
    content, published, packed = io.BytesIO(), [], {}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        packing = _Packing(archive)
        for record in records:
            published.append(_published(record).model_dump(mode="json"))
            arrays = arrays_of(record.run)
            packed[record.run] = {name: packing.add(name, arrays) for name in arrays.names()} if arrays else {}
        index = {"schema_version": SCHEMA_VERSION, "records": published, "arrays": packed}
        packing.write(_INDEX, json.dumps(index, ensure_ascii=False).encode())
    return content.getvalue()


def _published(record: Record) -> Record:
    """Return a record without details of the user's machine: its name, and paths in commands and tracebacks."""
    made, error, plugins = record.made, record.error, record.plugins
    reading = {key: value for key, value in (record.reading or {}).items() if key not in PATHS}
    return record.model_copy(
        update={
            "made": made and made.model_copy(update={"host": "", "command": ""}),
            "error": error and error.model_copy(update={"traceback": ""}),
            "reading": reading or None,
            "plugins": plugins and tuple(one.model_copy(update={"place": one.name}) for one in plugins),
        }
    )


class _Packing:
    """Writes the members of an evidence file, each different array once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._known: dict[tuple[object, ...], str] = {}
        self._count: Counter[str] = Counter()

    def add(self, name: str, arrays: Packable) -> str:
        """Write an array unless the file has it already.

        Returns:
            The name of its member in the file; with `/` at the end if the array holds predictions and was rounded.
        """
        key: tuple[object, ...] = (name, *arrays.sign(name))
        if key in self._known:
            return self._known[key]
        is_predicted = arrays.is_predicted(name)
        if is_predicted:  # there are as many as runs, so two different arrays could have the same CRC by chance
            rounded = arrays.rounded(name)
            key = (*key, rounded.mae.tobytes())
            if key in self._known:
                return self._known[key]
            parts = {f"/{part}.npy": values for part, values in _split(rounded).items()}
        else:
            parts = {".npy": np.asfortranarray(arrays.plain(name))}  # true values repeat from seed to seed
        stem = f"{name}-{self._count[name]}"
        self._count[name] += 1
        for end, values in parts.items():
            self.write(stem + end, to_npy(values))
        self._known[key] = stem + ("/" if is_predicted else ".npy")
        return self._known[key]

    def write(self, member: str, content: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(member, _DATE), content, zipfile.ZIP_DEFLATED)


def is_predicted(name: str, arrays: Arrays) -> bool:
    """Whether an array of a run holds predictions: floats, with one number for each true value."""
    array, truth = arrays.plain(name), arrays.plain(_TRUTH) if _TRUTH in arrays else np.empty(0)
    return name != _TRUTH and array.dtype.kind == "f" and array.shape[-truth.ndim :] == truth.shape


def _split(rounded: Rounded) -> dict[str, Array]:
    """Split rounded errors into the arrays that are written: `coarse`, `fine` and `mae`."""
    steps = rounded.steps.astype(np.int64)
    coarse = (steps + 128) >> 8  # so that `fine` is around 0, and `coarse` is 0 for most
    largest = np.abs(coarse).max(initial=0)
    width = next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if largest <= np.iinfo(kind).max)
    return {"coarse": coarse.astype(width), "fine": (steps - (coarse << 8)).astype(np.int8), "mae": rounded.mae}


def to_npy(array: Array) -> bytes:
    """Return the content of a .npy file with an array."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


class Evidence:
    """The evidence of a study, as read from its file.

    Attributes:
        name: name of the file for messages, such as its path.
        runs: the names of the runs.
    """

    def __init__(self, content: bytes, name: str) -> None:
        """Read the content of an evidence file.

        Args:
            content: content of the file.
            name: name of the file for messages, such as its path.

        Raises:
            InputError: the content is no evidence that this version can read.
        """
        self.name = name
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
            index = read_versioned(self._archive.read(_INDEX).decode(), SCHEMA_VERSION)
            self._published = {str(record["run"]): record for record in index["records"]}
            self._arrays = {str(run): dict(arrays) for run, arrays in index["arrays"].items()}
        except (*BROKEN, AttributeError, RecursionError) as error:
            raise InputError(f"{name} is not readable: {explain_unreadable(error)}. {_REMEDY}") from None
        self._unpacked: dict[str, Array] = {}
        self.runs = [*self._published]

    def records(self, without: Container[str] = ()) -> list[Record]:
        """Return the records of the runs, in the order of their names.

        Args:
            without: names of runs to leave out.

        Raises:
            InputError: a record cannot be read.
        """
        try:
            return [Record.model_validate(self._published[run]) for run in self.runs if run not in without]
        except ValueError as error:
            raise InputError(f"{self.name} is not readable: {explain_unreadable(error)}. {_REMEDY}") from None

    def arrays(self, run: str) -> "_Packed | None":
        """Return the arrays of a run; None if its predictions had been deleted when the evidence was written."""
        members = self._arrays.get(run)
        return _Packed(self, members) if members else None

    def sign(self, member: str) -> tuple[int, int]:
        """Return the checksum and size of one array of the file."""
        info = self._archive.getinfo(member)
        return info.CRC, info.file_size

    def unpack(self, member: str, keep: bool) -> Array:
        """Return one array of the file.

        Args:
            member: name of the array in the file.
            keep: whether to keep the array in memory for the next call, which pays for arrays that many runs share.
        """
        if member in self._unpacked:
            return self._unpacked[member]
        array = np.load(io.BytesIO(self._archive.read(member)), allow_pickle=False)
        array.setflags(write=False)
        if keep:
            self._unpacked[member] = array
        return array


class _Packed:
    """The arrays of one run in an evidence file."""

    def __init__(self, evidence: Evidence, members: Mapping[str, str]) -> None:
        self._evidence, self._members = evidence, members

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """List the arrays."""
        return list(self._members)

    def is_predicted(self, name: str) -> bool:
        """Whether an array holds predictions, whose errors were packed."""
        return self._members[name].endswith("/")

    def sign(self, name: str) -> tuple[int, int]:
        """Return the checksum and size of an array.

        They are those that the array had in predictions.npz; for predictions, whose errors were rounded, those of the
        packed array.
        """
        if self.is_predicted(name):
            return self._evidence.sign(f"{self._members[name]}fine.npy")
        content = to_npy(np.ascontiguousarray(self.plain(name)))
        return zlib.crc32(content), len(content)

    def plain(self, name: str) -> Array:
        return self._evidence.unpack(self._members[name], keep=True)

    def rounded(self, name: str) -> Rounded:
        coarse, fine, mae = (
            self._evidence.unpack(f"{self._members[name]}{part}.npy", keep=False) for part in ("coarse", "fine", "mae")
        )
        is_class = self.plain(CLASSES) if CLASSES in self else None
        return Rounded(coarse.astype(np.float64) * 256 + fine, mae, count_parts(mae, is_class))
