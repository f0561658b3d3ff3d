"""A document on the terminal, fitted to its width."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ibbench.report.document import Document, Heading, Points, Remark, Table

_NARROWEST = 14  # characters; a column of variants is not made narrower than this
_LONGEST_WORD = 24  # characters; an option with its value stays on one line if it is not longer


def show(document: Document, console: Console, fold: bool = True) -> None:
    """Print a document without its pictures and details.

    Args:
        document: the document to print.
        console: the terminal to print on.
        fold: whether to break long sentences between words; if not, the terminal breaks them.
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
    """Lay out a table within `width` characters if possible: columns of text first, then columns of numbers."""
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
            # rich takes a variant for one long word, so it must be told to break it anywhere.
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
    return sum(sizes.values()) + 2 * len(sizes)  # two characters separate columns
