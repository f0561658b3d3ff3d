"""A document: what a command prints or writes, as a list of shapes that each output format knows how to write.

Builders in this room and commands choose the content; a writer (`screen`, `markdown`, `html`, …) only writes it.
Most results have two documents: `page`, in full, for a file, and `brief` for a terminal.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeAlias

TEXT_COLUMNS = frozenset(
    {
        "source", "hydrogens", "split", "basis", "symmetries", "connectivity", "weights", "target", "model", "variant",
        "unit", "verdict", "on the front of", "A", "B",
    }
)  # fmt: skip


class Heading(NamedTuple):
    """The title of a document (level 1) or of a part of a document (level 2)."""

    text: str
    level: int = 2


class Remark(NamedTuple):
    """A paragraph of text."""

    text: str


class Points(NamedTuple):
    """Sentences that belong together: a list on a page, lines on a screen."""

    items: Sequence[str]


class Table(NamedTuple):
    """Rows that share their columns.

    Attributes:
        rows: the cells of each row by column; the columns are in the same order in all rows.
        title: the line above the table.
        text: names of the columns that are aligned to the left; all others hold numbers and are aligned to the right.
        emphasised: whether each row is emphasised; empty if no row is.
        headline: name of the column that is bold in an emphasised row, in formats that emphasise a single cell.
        optional: names of columns to leave out on a screen, one after another, until the others fit.
        folded: names of columns that may break into several lines on a screen; other columns are cut.
        narrow: the table to show instead on a screen that is too narrow for this one; None for this one in any case.
        header: names of the columns, for a table that may have no rows.
    """

    rows: Sequence[dict[str, str]]
    title: str = ""
    text: Collection[str] = TEXT_COLUMNS
    emphasised: Sequence[bool] = ()
    headline: str = ""
    optional: Sequence[str] = ()
    folded: Collection[str] = ("variant",)
    narrow: "Table | None" = None
    header: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """The names of the columns in their order."""
        return list(self.rows[0] if self.rows else self.header)


class Picture(NamedTuple):
    """A figure of matplotlib, under the name of its files (without a suffix); a page has the caption below it."""

    name: str
    figure: Any  # not typed: only `report/plot` imports matplotlib
    caption: str = ""


class Drawing(NamedTuple):
    """A small drawing, such as a molecule, with the lines below it."""

    svg: str
    lines: Sequence[str]


class Gallery(NamedTuple):
    """Drawings side by side; only a page that can be looked at has them."""

    drawings: Sequence[Drawing]


class Listing(NamedTuple):
    """Lines to be copied as they stand, such as a config; only a page has them."""

    text: str


class Details(NamedTuple):
    """Shapes that explain others, such as a legend. A page may fold them away; a screen leaves them out.

    Attributes:
        summary: the line that is shown while the shapes are folded away.
        shapes: the shapes that can be folded away.
    """

    summary: str
    shapes: "Sequence[Shape]"


Shape: TypeAlias = Heading | Remark | Points | Table | Picture | Gallery | Listing | Details
Document: TypeAlias = Sequence[Shape]


def legend(text: str) -> Details:
    """Return a text as the explanation of the table before it."""
    return Details("How to read this", [Remark(text)])
