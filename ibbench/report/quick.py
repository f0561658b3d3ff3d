"""A table printed quickly: rich takes a second for a thousand rows, mostly to fit in what fits anyway."""

from collections.abc import Iterable, Iterator
from typing import cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text


class QuickTable:
    """A table of `ibbench.terminal.fitting_table`, to be printed as rich prints it.

    Where all cells fit into the width in one line each, they are written as they are; where not, it is left to rich.
    """

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print the table."""
        columns = [[str(column.header), *map(str, column.cells)] for column in self.table.columns]
        widths = [
            max(column.min_width or 0, *map(cell_len, cells))
            for column, cells in zip(self.table.columns, columns, strict=True)
        ]
        width = sum(widths) + 2 * len(widths)  # a space before and after, and two between
        title = cast(Text, self.table.title)
        plain = not any("\n" in cell or "\t" in cell for cells in columns for cell in cells)
        if not plain or width > options.max_width or title.cell_len > width:
            yield self.table
            return
        yield from _line(_padded(title.plain, width), console.get_style("table.title"))
        yield from _line(" " * width)
        head, *rows = zip(
            *(self._aligned(place, cells, widths[place]) for place, cells in enumerate(columns)), strict=True
        )
        yield from _line(_joined(head), console.get_style("table.header"))
        yield from _line(f" {'─' * (width - 2)} ")
        for cells, row in zip(rows, self.table.rows, strict=True):
            yield from _line(_joined(cells), console.get_style(row.style) if row.style else None)
        yield from _line(" " * width)

    def _aligned(self, place: int, cells: list[str], width: int) -> list[str]:
        left = self.table.columns[place].justify == "left"
        return [_padded(cell, width) if left else " " * (width - cell_len(cell)) + cell for cell in cells]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _joined(cells: Iterable[str]) -> str:
    return f" {'  '.join(cells)} "


def _line(text: str, style: Style | None = None) -> Iterator[Segment]:
    yield Segment(text, style)
    yield Segment.line()
