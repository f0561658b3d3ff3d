"""What is said to whoever calls a function, in the place of a command: errors, and warnings."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ibbench.errors import InputError, suggest
from ibbench.options.words import Geometry

_FLAGS = re.compile(r"--(?=(?:model|geometry|device|at|by|relevance|tolerance)\b)")


@contextmanager
def in_python() -> Iterator[None]:
    """Name arguments in the messages of a block as Python does: `geometry`, where a command has `--geometry`."""
    try:
        yield
    except InputError as error:
        raise InputError(_FLAGS.sub("", str(error))) from None


def advise(sentences: Sequence[str]) -> None:
    """Warn whoever has called the caller of this function, a warning per sentence."""
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=3)


def check_geometry(geometry: str | None) -> str | None:
    """Refuse what is no way to compute coordinates.

    Raises:
        InputError: it is neither None nor a word of `Geometry`.
    """
    if geometry is not None and geometry not in tuple(Geometry):
        raise InputError(f"geometry `{geometry}` is not possible: {suggest(str(geometry), Geometry)}")
    return geometry
