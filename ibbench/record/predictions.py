"""Predictions of a run and its baselines for each test molecule: written, and read to compare models on molecules."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.files import write_atomically
from ibbench.record.atoms import describe_places, flatten_atoms, places_of, sum_atoms
from ibbench.record.evidence import BROKEN, CLASSES, Arrays, Rounded, is_predicted, round_errors
from ibbench.record.folder import PREDICTIONS, StudyFolder
from ibbench.record.metrics import ClassMetricsEntry
from ibbench.record.schema import RECORD, BrokenError, Record

Floats = NDArray[np.float64]
_shared: dict[tuple[int, int], NDArray[Any]] = {}  # arrays that many runs of a study share, by checksum and size
_OF_ONE_RUN = {"prediction"}  # arrays that no two runs share
_AGREEMENT = 1e-6  # relative difference from the MAE in the record, which was summed in another order
_TINY = 1e-8  # absolute difference, for an MAE that is nearly zero
_BASELINES, _OF_BASELINES = "baseline", "baseline_prediction"  # arrays that files of older versions lack


class Predictor(NamedTuple):
    """The replica, or the baseline beside it, that made a row of predictions.

    Attributes:
        target: short name of the target.
        seed: seed of the replica.
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
    is_class: NDArray[np.bool_] | None = None,
) -> None:
    """Write the test predictions of a run, and those of the baselines beside it.

    Args:
        folder: the folder of the run.
        index: positions of the test molecules in the data set, `[M]`.
        ids: numbers that the data source gives the test molecules, `[M]`.
        replicas: target and seed of each of the R replicas.
        truth: true values, in the unit of the row's target, `[R, M]`; of a class, 0 or 1. NaN where a molecule lacks
            the label. Of targets of atoms `[R, M, N]`, NaN where there is no atom; likewise the predictions.
        prediction: predicted values, in the same units, `[R, M]`; of a class, logits, which are exact where a
            probability would be rounded to 0 or 1.
        baselines: predicted values of each baseline, in the same units, `[R, M]`, by its name.
        is_class: whether the target of a row is a class, `[R]`; None if none is.
    """
    arrays = {
        "index": index,
        "id": ids,
        "target": np.array([target for target, _ in replicas]),
        "seed": np.array([seed for _, seed in replicas]),
        "truth": flatten_atoms(truth),
        "prediction": flatten_atoms(prediction),
    }
    if baselines:
        rows = np.stack([flatten_atoms(values) for values in baselines.values()])
        arrays |= {_BASELINES: np.array(list(baselines)), _OF_BASELINES: rows}
    if is_class is not None and is_class.any():
        arrays[CLASSES] = is_class
    arrays |= describe_places(truth)
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
    """Check that the file of a run's predictions is not cut off, in a tenth of the time that it takes to read it.

    Args:
        folder: the folder of the run. Predictions that were deleted are no error.

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


def read_errors(folder: Path, record: Record, baselines: bool = True) -> dict[Predictor, Floats]:
    """Read predicted minus true value of each test molecule, `[M]` in the target's unit, for each predictor of a run.

    Molecules that lack the label of the predictor's target are left out. Of a class the error is the log loss in nats,
    with a negative sign (also of 0) for molecules of class 1. Of a target of atoms it is what the molecule contributes
    to the MAE over atoms: see `sum_atoms`.

    Arguments and errors are those of `read_predictions`.
    """
    blocks = _read(folder, record, baselines)
    return {
        who: row[has_label(of_truth)] if places is None else sum_atoms(of_truth, row, places)
        for predictors, truth, errors, places in blocks
        for who, of_truth, row in zip(predictors, truth, errors, strict=True)
    }


def _predicted(truth: Floats, errors: Floats, is_class: bool) -> Floats:
    """Return predicted values from true values and errors; of a class, probabilities from log losses."""
    return truth + (-np.sign(errors) * np.expm1(-np.abs(errors)) if is_class else errors)


def has_label(truth: Floats) -> NDArray[np.bool_] | slice:
    """Return an index of the molecules that have a label, from the true values of all, `[M]`, NaN where there is none.

    All models of a target and split were tested on the same molecules, in the same order, also where some lack a label.
    """
    missing = np.isnan(truth)
    return ~missing if missing.any() else slice(None)


def read_predictions(folder: Path, record: Record, baselines: bool = True) -> dict[Predictor, tuple[Floats, Floats]]:
    """Read true and predicted values of the test molecules, `[M]` in the target's unit, for each predictor of a run.

    Molecules that lack the label of the predictor's target are left out. Of a target of atoms there is a value per
    atom, molecule by molecule. Of a class the values are 0 or 1, and the probability of 1. Errors are rounded as
    `record.evidence` says, so predicted values are true values plus rounded errors.

    Args:
        folder: the folder of the run.
        record: the record of the run.
        baselines: whether to read the predictions of baselines, too.

    Returns:
        True and predicted values of each replica, and of each baseline if the file has them (older versions did not
        write them). Empty for a run whose predictions were deleted; its seeds can still be compared.

    Raises:
        BrokenError: the file is damaged, or belongs to another record.
    """
    blocks = _read(folder, record, baselines)
    classes = {entry.target for entry in record.replicas if isinstance(entry.test, ClassMetricsEntry)}
    return {
        who: (of_truth[has_label(of_truth)], _predicted(of_truth, row, who.target in classes)[has_label(of_truth)])
        for predictors, truth, errors, _ in blocks
        for who, of_truth, row in zip(predictors, truth, errors, strict=True)
    }


class Tested(NamedTuple):
    """The test molecules of a run: positions in the data set and the names that the source gives them, each `[M]`."""

    places: NDArray[np.int64]
    ids: NDArray[np.int64]


def read_tested(folder: Path, target: str) -> Tested | None:
    """Read which molecules a run was tested on, in the order of its predictions; None where these were deleted.

    Args:
        folder: the folder of the run, which may be there in the evidence of its study only.
        target: a target of the run. Molecules that lack its label are left out.

    Raises:
        BrokenError: the file is damaged.
    """
    path, arrays = open_arrays(folder)
    try:
        if arrays is None:
            return None
        truth = arrays.plain("truth")[arrays.plain("target").tolist().index(target)]
        if places := places_of(arrays):  # a molecule has labels of all of its atoms or of none
            truth = truth.reshape(-1, places)[:, 0]
        labelled = has_label(truth)
        return Tested(arrays.plain("index")[labelled], arrays.plain("id")[labelled])
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None


def open_predictions(folder: Path) -> "Predictions | None":
    """Return the arrays in the predictions.npz of a run; None if the file was deleted.

    Raises:
        BrokenError: the file is damaged.
    """
    path = folder / PREDICTIONS
    try:
        return Predictions(path.read_bytes()) if path.exists() else None
    except OSError as error:
        raise BrokenError(path, error.strerror or str(error), "See that it can be read") from None
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None


class _Block(NamedTuple):
    """R predictors, their true values and rounded errors, `[R, M]`; `places` is N where these are `[R, M * N]`."""

    predictors: list[Predictor]
    truth: Floats
    errors: Floats
    places: int | None


def open_arrays(folder: Path) -> tuple[Path, Arrays | None]:
    """Return the predictions of a run, from its folder or the evidence of its study, and the file that has them.

    Raises:
        BrokenError: the file is damaged.
    """
    arrays: Arrays | None = open_predictions(folder)
    if not arrays and not (folder / RECORD).exists() and (evidence := StudyFolder.at(folder.parents[1]).evidence):
        return Path(evidence.name), evidence.arrays(folder.name)
    return folder / PREDICTIONS, arrays


def _read(folder: Path, record: Record, baselines: bool) -> list[_Block]:
    """Read the predictors of a run: a block of its replicas, and one for each baseline."""
    path, arrays = open_arrays(folder)
    if arrays is None:
        return []
    try:
        truth = arrays.plain("truth")
        replicas = list(zip(*(arrays.plain(name).tolist() for name in ("target", "seed")), strict=True))
        by_name = {"": arrays.rounded("prediction")}
        if baselines and _BASELINES in arrays:
            rounded = arrays.rounded(_OF_BASELINES)
            names = arrays.plain(_BASELINES).tolist()
            # Baselines that the record does not name were about to be added when a process died.
            known = {baseline.name for baseline in record.baselines}
            of_names = zip(names, *rounded, strict=True)
            by_name |= {name: Rounded(*rows) for name, *rows in of_names if name in known}
        is_class = arrays.plain(CLASSES) if CLASSES in arrays else None
        places = places_of(arrays)
        blocks = [_block(name, replicas, truth, rounded, is_class, places) for name, rounded in by_name.items()]
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None
    maes = {Predictor(entry.target, entry.seed): entry.tested.mae for entry in record.replicas}
    for baseline in record.baselines:
        maes |= {Predictor(entry.target, entry.seed, baseline.name): entry.tested.mae for entry in baseline.replicas}
    of_blocks = zip(blocks, by_name.values(), strict=True)
    found = {who: mae for block, of in of_blocks for who, mae in zip(block.predictors, of.mae.tolist(), strict=True)}
    expected = {who for who in maes if who.baseline in by_name}
    if found.keys() != expected or any(
        not abs(mae - maes[who]) <= _TINY + _AGREEMENT * maes[who] for who, mae in found.items()
    ):
        raise BrokenError(path, "its errors are not those of record.json, so they are not of the same run")
    return blocks


def _block(
    baseline: str,
    replicas: list[tuple[str, int]],
    truth: Floats,
    rounded: Rounded,
    is_class: NDArray[np.bool_] | None,
    places: int | None,
) -> _Block:
    predictors = [Predictor(target, seed, baseline) for target, seed in replicas]
    if truth.shape != rounded.steps.shape or len(set(predictors)) < len(predictors):
        raise ValueError("its arrays do not fit together")
    errors = rounded.errors
    if is_class is not None:  # errors that are rounded to 0 keep the sign that tells the class
        errors[is_class] = np.copysign(errors[is_class], 0.5 - truth[is_class])
    return _Block(predictors, truth, errors, places)


class Predictions:
    """The arrays of one run, in the content of its predictions.npz."""

    def __init__(self, content: bytes) -> None:
        self._content: Any = np.load(io.BytesIO(content), allow_pickle=False)

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def names(self) -> list[str]:
        """List the names of the arrays."""
        return list(self._content)

    def sign(self, name: str) -> tuple[int, int]:
        """Return the checksum and size of an array, by which the same array in other runs is recognised."""
        member = self._content.zip.getinfo(f"{name}.npy")
        return member.CRC, member.file_size

    def is_predicted(self, name: str) -> bool:
        """Whether an array holds predictions."""
        return is_predicted(name, self)

    def plain(self, name: str) -> NDArray[Any]:
        """Return an array. Arrays that most runs share are unpacked once, which saves a quarter of a table's time."""
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
        """Return the rounded errors of an array of predictions."""
        is_class = self.plain(CLASSES) if CLASSES in self else None
        return round_errors(self.plain(name), self.plain("truth"), is_class)
