"""A document on the terminal, as wide as that is."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ibbench.report.document import Document, Heading, Points, Remark, Table

_NARROWEST = 14  # characters of a variant before it breaks into several lines
_LONGEST_WORD = 24  # characters of an option with its value that is kept on one line


def show(document: Document, console: Console, fold: bool = True) -> None:
    """Print a document; a terminal has no pictures, and details are for pages.

    Args:
        document: what is told.
        console: the terminal to print on.
        fold: whether sentences that are longer than a line are broken between words, and not by the terminal.
    """

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=not fold)

    for shape in document:
        match shape:
            case Table():
                console.print(_table(shape, console.width))
            case Heading():
                say(shape.text, "bold")
            case Remark():
                say(shape.text)
            case Points():
                for item in shape.items:
                    say(item)


def _table(table: Table, width: int) -> RichTable:
    """Lay out a table, within `width` where that is possible: text first, then numbers."""
    if table.narrow is not None and _total(_sizes(table)) > width:
        table = table.narrow
    sizes = _sizes(table)
    if "variant" in sizes:
        words = [len(word) for row in table.rows for word in row["variant"].split()]
        sizes["variant"] = min(sizes["variant"], max([_NARROWEST, *(size for size in words if size <= _LONGEST_WORD)]))
    for name in table.optional:
        if _total(sizes) > width:
            sizes.pop(name, None)
    shown = RichTable(
        title=Text(table.title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left"
    )
    columns = sorted(sizes, key=lambda column: column not in table.text)
    for column in columns:
        shown.add_column(
            Text(column),
            justify="left" if column in table.text else "right",
            no_wrap=column not in table.folded,
            # A variant is one long word to rich.
            overflow="fold" if column == "variant" else "ellipsis",
            min_width=sizes[column] if column == "variant" else None,
        )
    for place, row in enumerate(table.rows):
        bold = place < len(table.emphasised) and table.emphasised[place]
        shown.add_row(*(Text(row[column]) for column in columns), style="bold" if bold else None)
    return shown


def _sizes(table: Table) -> dict[str, int]:
    """Return the width of each column in characters."""
    return {column: max([len(column), *(len(row[column]) for row in table.rows)]) for column in table.columns}


def _total(sizes: dict[str, int]) -> int:
    return sum(sizes.values()) + 2 * len(sizes)  # two characters are between columns
