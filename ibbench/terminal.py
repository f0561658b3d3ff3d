"""Where everything is printed."""

import functools
import itertools
import sys
import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PLAIN_SECONDS = 15.0  # between two plain lines: a log should tell that a run is alive, not fill a disk
_NARROWEST = 14  # of a column that may break into several lines


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


def narrow_table(title: str, text: tuple[str, ...], numbers: tuple[str, ...], folded: tuple[str, ...] = ()) -> Table:
    """Return an empty table that fits a terminal of 80 columns where its content does.

    Args:
        title: stands above it.
        text: the columns that are aligned to the left; they come first.
        numbers: the columns that are aligned to the right.
        folded: the columns that may break into several lines; all others are cut rather than broken.
    """
    table = Table(title=Text(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left")
    for column in (*text, *numbers):
        table.add_column(column, justify="left" if column in text else "right", no_wrap=column not in folded)
    return table


def fitting_table(
    title: str,
    rows: list[dict[str, str]],
    text: Collection[str],
    width: int,
    optional: Sequence[str] = (),
    styles: Sequence[str] = (),
) -> Table:
    """Return a table of rows that share their columns, within `width` where that is possible.

    Args:
        title: stands above it.
        rows: what each column holds, in the order of the columns.
        text: which columns are aligned to the left.
        width: of the terminal.
        optional: columns to leave out, one after another, until the rest fits.
        styles: of each row.
    """
    sizes = {column: max(len(column), *(len(row[column]) for row in rows)) for column in rows[0]}
    if "variant" in sizes:  # may break into several lines
        sizes["variant"] = min(sizes["variant"], _NARROWEST)
    for name in optional:
        if sum(sizes.values()) + 2 * len(sizes) > width:  # two characters are between columns
            sizes.pop(name, None)
    table = narrow_table(
        title,
        tuple(column for column in sizes if column in text),
        tuple(column for column in sizes if column not in text),
        folded=("variant",),
    )
    for column in table.columns:
        if column.header == "variant":
            column.overflow, column.min_width = "fold", sizes["variant"]
    for row, style in itertools.zip_longest(rows, styles):
        table.add_row(*(row[column.header] for column in table.columns), style=style or None)  # type: ignore[index]
    return table
