"""The test molecules that the best model of a target predicts worst, and what the other models say of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.compare.rows import Entry
from ibbench.compare.study import Study
from ibbench.record.folder import StudyFolder
from ibbench.record.predictions import Floats, Predictor, Tested, read_predictions, read_tested


class Worst(NamedTuple):
    """K test molecules, those with the largest errors first.

    Attributes:
        best: the entry whose errors they are, which has the lowest MAE of those that have predictions.
        places: positions in the data set, `[K]`.
        ids: names that the source gives them, `[K]`.
        truth: true values, in the unit of the target, `[K]`.
        error: mean over seeds of the absolute error of `best`, `[K]`.
        predicted: means over seeds of what each entry predicts, `[K]`, with `best` first.
    """

    best: Entry
    places: NDArray[np.int64]
    ids: NDArray[np.int64]
    truth: Floats
    error: Floats
    predicted: list[tuple[Entry, Floats]]


class _Said(NamedTuple):
    """What the seeds of one entry said of the same test molecules."""

    tested: Tested
    truth: Floats  # [M]
    prediction: Floats  # [S, M]


def find_worst(folder: Path, study: Study, entries: Sequence[Entry], count: int, most_models: int) -> Worst | None:
    """Find the molecules that are predicted worst.

    Args:
        folder: the folder of the study.
        study: rows and records of the study, as `read_study` returns them.
        entries: rows of one target at one train size; baselines among them are left out.
        count: largest number of molecules to find.
        most_models: largest number of entries whose predictions are told, those with the lowest MAEs.

    Returns:
        None where no entry has the predictions of all of its seeds, and for a target of atoms.

    Raises:
        BrokenError: the predictions of a run cannot be read.
    """
    of_molecules = (entry for entry in entries if not (entry.key.is_baseline or entry.of_atoms))
    trained = sorted(of_molecules, key=lambda entry: entry.sample.mae)
    known = [(entry, said) for entry in trained if (said := _read(folder, study, entry))]
    if not known:
        return None
    best, first = known[0]
    errors = np.abs(first.prediction - first.truth).mean(0)
    order = np.argsort(-errors, kind="stable")[:count]
    same = [(entry, said) for entry, said in known if np.array_equal(said.tested.places, first.tested.places)]
    predicted = [(entry, said.prediction.mean(0)[order]) for entry, said in same[:most_models]]
    return Worst(
        best, first.tested.places[order], first.tested.ids[order], first.truth[order], errors[order], predicted
    )


def _read(folder: Path, study: Study, entry: Entry) -> _Said | None:
    """Read what all seeds of an entry predict; None where predictions are missing, or of different molecules."""
    records = {id(replica): record for record in study.records for replica in record.replicas}
    runs = StudyFolder.at(folder).runs
    used = {record.run: record for replica in entry.replicas if (record := records[id(replica)])}
    tested = [read_tested(runs / run, entry.key.group.target) for run in used]
    found = {run: read_predictions(runs / run, record, baselines=False) for run, record in used.items()}
    first = tested[0]
    if first is None or any(one is None or not np.array_equal(one.places, first.places) for one in tested):
        return None
    rows = [found[records[id(one)].run][Predictor(one.target, one.seed)] for one in entry.replicas]
    return _Said(first, rows[0][0], np.stack([prediction for _, prediction in rows]))
