"""Whether the files of a finished run can be read: a run with a damaged file counts as not yet trained."""

from pathlib import Path

from ibbench.record.folder import StudyFolder, read_finished
from ibbench.record.predictions import read_errors
from ibbench.record.schema import BrokenError, Record


def read_done(folder: Path) -> Record | None:
    """Return the record of a run that is done; None if it is not, or if its record or predictions are damaged.

    Args:
        folder: the folder of the run.

    Raises:
        BrokenError: a file cannot be read but is not damaged, such as one of a newer version.
    """
    return None if find_damage(folder) else read_finished(folder)


def find_damage(folder: Path) -> BrokenError | None:
    """Return an error that names a damaged file of a run, which has to be trained again; None if no file is damaged.

    Args:
        folder: the folder of the run.

    Raises:
        BrokenError: a file cannot be read but is not damaged, such as one of a newer version.
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
