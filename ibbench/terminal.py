"""Where everything is printed."""

import functools
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


@functools.cache
def terminal() -> Console:
    """Return the console of this process; into a pipe or a file it does not fold wide tables."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def say(line: str) -> None:
    """Print one line as it is: a path or an error message is not to be folded, coloured or read as markup."""
    terminal().print(line, highlight=False, markup=False, soft_wrap=True)


def narrow_table(title: str, text: tuple[str, ...], numbers: tuple[str, ...], folded: tuple[str, ...] = ()) -> Table:
    """Return an empty table that fits a terminal of 80 columns where its content does.

    Args:
        title: stands above it.
        text: the columns that are aligned to the left; they come first.
        numbers: the columns that are aligned to the right.
        folded: the columns that may break into several lines; all others are cut rather than broken.
    """
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left")
    for column in (*text, *numbers):
        table.add_column(column, justify="left" if column in text else "right", no_wrap=column not in folded)
    return table
