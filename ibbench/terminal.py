"""Where everything is printed."""

from __future__ import annotations

import functools
import io
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from rich.console import Console  # imported where it is needed: help is to come at once
    from rich.progress import Progress

_QUIET = "IBBENCH_QUIET"  # the environment variable that has processes started from this one be quiet, too
_PLAIN_SECONDS = 15.0  # between two plain lines: a log should tell that a run is alive, not fill a disk


class _Unfailing(io.RawIOBase):
    """A stream to a pipe or a file that goes on where nobody reads any more, or the disk is full: no output may end
    a training.

    Attributes:
        error: what was wrong when it was written to in vain, but for a reader who has seen enough.
    """

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write; what cannot be written is dropped."""
        try:
            return self._raw.write(data) or 0
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # for processes that write to it, too
        except OSError as error:
            self.error = error
        return len(data)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()


def never_fail() -> None:
    """Make the output of this process drop what cannot be written, and replace what its encoding does not have."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the command was started, as by `>&-`
            stream = open(os.devnull, "w")  # noqa: PTH123, SIM115
            setattr(sys, f"__{name}__", stream)  # what keeps it from being closed
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)  # there is one only with `python -u`
        if not isinstance(raw, io.FileIO):  # that of a test or a notebook, or one that was made so before
            continue
        stream.flush()
        unfailing: Any = _Unfailing(raw)
        unfailing = unfailing if buffer is raw else io.BufferedWriter(unfailing)
        options = {"line_buffering": stream.line_buffering or name == "stderr", "write_through": stream.write_through}
        errors = stream.errors if name == "stderr" else "replace"
        setattr(sys, name, io.TextIOWrapper(unfailing, encoding=stream.encoding, errors=errors, **options))


def lost_output() -> OSError | None:
    """Return why a part of what was printed to stdout could not be written, if so."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, _Unfailing):
        return None
    sys.stdout.flush()
    return raw.error


def warn(line: str) -> None:
    """Print one line as it is to the standard error stream: what must be known of an output that a program reads."""
    never_fail()
    sys.stderr.write(f"ibbench: {line}\n")


@functools.cache
def terminal() -> Console:
    """Return the console of this process; into a pipe or a file it does not fold wide tables."""
    from rich.console import Console

    never_fail()
    return Console(markup=False, emoji=False) if sys.stdout.isatty() else Console(width=200, markup=False, emoji=False)


def say(line: str) -> None:
    """Print one line as it is: a path or an error message is not to be folded, coloured or read as markup."""
    terminal().print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)


def be_quiet(wanted: bool) -> None:
    """Print no progress from now on, in this process and those that it starts; or print it again."""
    if wanted:
        os.environ[_QUIET] = "1"
    else:
        os.environ.pop(_QUIET, None)


def is_quiet() -> bool:
    """Whether progress is not to be printed."""
    return _QUIET in os.environ


def mention(line: str) -> None:
    """Print one line about what goes as it should, unless this process is quiet; `say` prints what must be known."""
    if not is_quiet():
        say(line)


def mention_once(line: str) -> None:
    """Print a line as `mention` does, unless this process has printed the same before, as of the data of a sweep."""
    if not is_quiet():
        _say_once(line)


@functools.cache
def _say_once(line: str) -> None:
    say(line)


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn  # takes longer to import than most commands run

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[text]}", markup=False),
        console=console,
        disable=is_quiet() or not console.is_terminal,
    )


class Line(Protocol):
    """What is told about something that takes long; `total` is the number of parts that it has to do."""

    total: int

    def show(self, done: int, text: str, is_last: bool) -> None:
        """Show how many parts are done, and a few words."""


# Begins a line, by its name and its total.
ShowLine = Callable[[str, int], AbstractContextManager[Line]]


class LiveLines:
    """Lines that are shown at the same time, to be used in a `with` block.

    Args:
        console: the console that shows them.
    """

    def __init__(self, console: Console) -> None:
        self.bars = _bars(console)
        self._console = console

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def begin(self, name: str, total: int) -> LiveLine:
        """Begin one more, to be used in a `with` block of its own."""
        return LiveLine(self._console, name, total, self)


class LiveLine:
    """One line about something that takes long: with a bar and changing in place on a terminal, plain ones elsewhere.

    Args:
        console: the console that shows it.
        name: what it is about.
        total: the number of parts that it has to do.
        among: the lines that it is one of, shown already; None for alone.
    """

    def __init__(self, console: Console, name: str, total: int, among: LiveLines | None = None) -> None:
        self.total = total
        self._console, self._name = console, name
        self._is_alone = among is None
        self._bars = among.bars if among else _bars(console)
        self._row = self._bars.add_task(name, total=total, text="starting")
        self._last_line = time.perf_counter()

    def __enter__(self) -> Self:
        if self._is_alone:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_alone:
            self._bars.stop()
        else:
            self._bars.remove_task(self._row)

    def show(self, done: int, text: str, is_last: bool) -> None:
        """Show how many parts are done, and a few words; plain lines come now and then, and the last in any case."""
        if is_quiet():
            return
        now = time.perf_counter()
        if self._console.is_terminal:
            self._bars.update(self._row, completed=done, text=text)
            is_due = is_last and not self._is_alone  # its bar is about to go
        else:
            is_due = is_last or now - self._last_line >= _PLAIN_SECONDS
        if is_due:
            self._last_line = now
            self._console.print(f"{self._name}: {text}", highlight=False, markup=False, emoji=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Format a time as minutes and seconds, with hours before them if it is that long: `0:07`, `1:02:45`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_line(name: str, total: int) -> LiveLine:
    """Begin a line of its own on the console of this process."""
    return LiveLine(terminal(), name, total)
