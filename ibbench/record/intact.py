"""Whether what a run has left can be used: a run whose files are damaged counts as one that is yet to be trained."""

from pathlib import Path

from ibbench.record.folder import StudyFolder, read_finished
from ibbench.record.predictions import read_errors
from ibbench.record.schema import BrokenError, Record


def read_done(folder: Path) -> Record | None:
    """Return the record of a run that is done, if its record and its predictions can be read. Nothing is written.

    Args:
        folder: the folder of the run.

    Raises:
        BrokenError: a file cannot be read and is not lost, as one of a newer version.
    """
    return None if find_damage(folder) else read_finished(folder)


def find_damage(folder: Path) -> BrokenError | None:
    """Return which file of a run is damaged, so that the run has to be trained again; None if none is.

    Args:
        folder: the folder of the run.

    Raises:
        BrokenError: a file cannot be read and is not lost, as one of a newer version.
    """
    try:
        record = StudyFolder.at(folder.parents[1]).record(folder.name)
        if record:
            read_errors(folder, record)
    except BrokenError as broken:
        if broken.is_lost:
            return broken
        raise
    return None
