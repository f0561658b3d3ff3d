"""What can go wrong through no fault of the code, and how it is said."""

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 130  # the exit code where a signal has asked to stop


class InputError(Exception):
    """Something the user gave is not usable; the message says what was expected. The command exits with 2."""


def needs_extra(what: str, extra: str) -> InputError:
    """Say how something is installed that an extra of ibbench has."""
    return InputError(f"{what} is not installed: expected ibbench[{extra}], from: pip install 'ibbench[{extra}]'")


class DivergedError(Exception):
    """A training loss stopped being finite; the message says where and what to change."""


class TrainingError(Exception):
    """Runs of a training have failed, or were not finished; the message names them.

    Attributes:
        study: the folder of the study, which has what is finished.
        failed: why each of them is missing, by its name; empty where all are finished and something else was wrong,
            such as a folder that cannot be written to.
    """

    def __init__(self, message: str, study: Path, failed: dict[str, str]) -> None:
        super().__init__(message)
        self.study, self.failed = study, failed


def leave(error: InputError) -> NoReturn:
    """Print what was wrong with the input, and exit with 2."""
    print(f"ibbench: {error}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


def shorten(text: str, most: int = 80) -> str:
    """Cut a text that a message repeats, so that the message stays one that can be read."""
    return text if len(text) <= most else f"{text[:most]}…"


def suggest(name: str, valid: Iterable[str]) -> str:
    """Name the entries of `valid` that are nearest to `name`, or all of them when none is near."""
    names = list(dict.fromkeys(valid))
    spelling = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), spelling, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(f"`{spelling[match]}`" for match in near) + "?"
    return f"expected one of: {', '.join(names)}" if names else ""
