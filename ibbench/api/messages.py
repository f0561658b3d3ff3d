"""Errors and warnings for callers of the Python interface, in words that suit a call instead of a command."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ibbench.errors import InputError, suggest
from ibbench.options.words import Geometry

_FLAGS = re.compile(r"--(?=(?:model|geometry|device|at|by|relevance|tolerance)\b)")


@contextmanager
def in_python() -> Iterator[None]:
    """Write `geometry` in place of `--geometry` in errors of a block, and so for the other arguments.

    Raises:
        InputError: the block has raised one; its message is rewritten.
    """
    try:
        yield
    except InputError as error:
        raise InputError(_FLAGS.sub("", str(error))) from None


def advise(sentences: Sequence[str]) -> None:
    """Give one Python warning per sentence, which points at the line that has called the caller of this function."""
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=3)


def check_geometry(geometry: str | None) -> str | None:
    """Return the name of a method that computes coordinates as it is.

    Raises:
        InputError: the name is neither None nor a word of `Geometry`.
    """
    if geometry is not None and geometry not in tuple(Geometry):
        raise InputError(f"geometry `{geometry}` is not possible: {suggest(str(geometry), Geometry)}")
    return geometry
