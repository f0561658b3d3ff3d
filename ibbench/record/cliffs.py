"""Which test molecules of a run lie on activity cliffs: looked up in the source of the data, and kept in evidence."""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibbench.data.sources import find_cliffs, has_cliffs
from ibbench.record.evidence import BROKEN, Packable, Rounded, to_npy
from ibbench.record.predictions import has_label, open_arrays
from ibbench.record.schema import BrokenError, Record

CLIFFS = "cliff"  # array of evidence


def read_cliffs(folder: Path, record: Record, target: str) -> NDArray[np.bool_] | None:
    """Read which test molecules of a run lie on activity cliffs, in the order of its errors of a target, `[M]`.

    Args:
        folder: the folder of the run, which may be there in the evidence of its study only.
        record: the record of the run.
        target: a target of the run. Molecules that lack its label are left out.

    Returns:
        The flags. None where the source of the data marks no cliffs, where predictions were deleted, and where neither
        evidence nor an installed package tells the marks.

    Raises:
        BrokenError: the file of the predictions is damaged.
    """
    if not has_cliffs(record.data_source):
        return None
    path, arrays = open_arrays(folder)
    try:
        if arrays is None:
            return None
        kept = CLIFFS in arrays
        marks = arrays.plain(CLIFFS) if kept else find_cliffs(record.data_source, arrays.plain("id"))
        labelled = has_label(arrays.plain("truth")[arrays.plain("target").tolist().index(target)])
        return None if marks is None else marks[labelled]
    except BROKEN as error:
        raise BrokenError(path, str(error)) from None


def mark_cliffs(arrays: Packable, source: str) -> Packable:
    """Return the arrays of a run with one more that marks activity cliffs, if the source of its data has such marks.

    Args:
        arrays: the arrays of the run.
        source: identity of the source, as the record of the run has it.
    """
    if CLIFFS in arrays or not has_cliffs(source):
        return arrays
    marks = find_cliffs(source, arrays.plain("id"))
    return arrays if marks is None else _Marked(arrays, marks)


class _Marked:
    """The arrays of a run, and the marks of its molecules."""

    def __init__(self, arrays: Packable, marks: NDArray[np.bool_]) -> None:
        self._arrays, self._marks = arrays, marks

    def __contains__(self, name: str) -> bool:
        return name == CLIFFS or name in self._arrays

    def names(self) -> Iterable[str]:
        return [*self._arrays.names(), CLIFFS]

    def is_predicted(self, name: str) -> bool:
        return name != CLIFFS and self._arrays.is_predicted(name)

    def sign(self, name: str) -> tuple[int, int]:
        if name != CLIFFS:
            return self._arrays.sign(name)
        content = to_npy(self._marks)
        return zlib.crc32(content), len(content)

    def plain(self, name: str) -> NDArray[Any]:
        return self._marks if name == CLIFFS else self._arrays.plain(name)

    def rounded(self, name: str) -> Rounded:
        return self._arrays.rounded(name)
