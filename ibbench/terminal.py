"""Where everything is printed."""

import functools
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console

_PLAIN_SECONDS = 15.0  # between two plain lines: a log should tell that a run is alive, not fill a disk


@functools.cache
def terminal() -> Console:
    """Return the console of this process; into a pipe or a file it does not fold wide tables."""
    return Console(markup=False) if sys.stdout.isatty() else Console(width=200, markup=False)


def say(line: str) -> None:
    """Print one line as it is: a path or an error message is not to be folded, coloured or read as markup."""
    terminal().print(line, highlight=False, markup=False, soft_wrap=True)


class LiveLine:
    """One line about something that takes long: with a bar and changing in place on a terminal, plain ones elsewhere.

    Args:
        console: where it is shown.
        name: what it is about.
        total: the number of parts that it has to do.
    """

    def __init__(self, console: Console, name: str, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn  # takes longer to import than most commands run

        self.total = total
        self._console, self._name = console, name
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._row = self._bar.add_task(name, total=total, text="starting")
        self._last_line = time.perf_counter()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, done: int, text: str, is_last: bool) -> None:
        """Show how many parts are done, and a few words; plain lines come now and then, and the last in any case."""
        now = time.perf_counter()
        if self._console.is_terminal:
            self._bar.update(self._row, completed=done, text=text)
        elif is_last or now - self._last_line >= _PLAIN_SECONDS:
            self._last_line = now
            self._console.print(f"{self._name}: {text}", highlight=False, markup=False, soft_wrap=True)
