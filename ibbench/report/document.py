"""What a command tells: a list of shapes, which each format has a writer for.

Builders in this room and commands choose the content; a writer (`screen`, `markdown`, `html`, …) knows nothing of it.
Most results are told in two documents: `page` for a file that is read in full, `brief` for a terminal.
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
    """The start of a document (level 1) or of a part of it (level 2)."""

    text: str
    level: int = 2


class Remark(NamedTuple):
    """A paragraph."""

    text: str


class Points(NamedTuple):
    """Sentences that belong together: a list on a page, lines on a screen."""

    items: Sequence[str]


class Table(NamedTuple):
    """Rows that share their columns.

    Attributes:
        rows: the cells of each row by column; the columns are in the same order in all rows.
        title: the line above it.
        text: the columns that are aligned to the left; numbers are aligned to the right.
        emphasised: whether each row stands out; empty where none does.
        headline: the column that is bold in such a row, in formats that emphasise a cell.
        optional: the columns to leave out, one after another, until the others fit the screen.
        folded: the columns that may break into several lines on a screen; others are cut rather than broken.
        narrow: the table to show on a screen that this one is too wide for.
        header: the columns, for a table that may have no rows to name them.
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
        """The columns in their order."""
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
    """Shapes that explain others, such as a legend: a page may fold them away, a screen leaves them out.

    Attributes:
        summary: the line that stands for them where they are folded away.
        shapes: what is folded away.
    """

    summary: str
    shapes: "Sequence[Shape]"


Shape: TypeAlias = Heading | Remark | Points | Table | Picture | Gallery | Listing | Details
Document: TypeAlias = Sequence[Shape]


def legend(text: str) -> Details:
    """Return the explanation of the table before it."""
    return Details("How to read this", [Remark(text)])
