"""Where everything is printed."""

import functools
import sys

from rich.console import Console


@functools.cache
def terminal() -> Console:
    """Return the console of this process; into a pipe or a file it does not fold wide tables."""
    return Console(markup=False) if sys.stdout.isatty() else Console(width=200, markup=False)


def say(line: str) -> None:
    """Print one line as it is: a path or an error message is not to be folded, coloured or read as markup."""
    terminal().print(line, highlight=False, markup=False, soft_wrap=True)
