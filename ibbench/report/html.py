"""A document as one HTML page that needs nothing else: no network, no file beside it, and no script to be read."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

import ibbench
from ibbench.report.document import Document, Heading, Picture, Table
from ibbench.report.plot.style import render
from ibbench.report.svg import Inline, inline

GENERATOR = "ibbench report"
_HEAD = 2000  # bytes of a page, among which its generator stands
_MOST_DRAWN = 2_300_000  # bytes of all pictures of a page, so that it stays below 3 MB
_SENTENCE = 34  # characters of a cell from which on its column is kept wide
_NUMBER = r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
_FIGURE = re.compile(rf"(?:[<>≈] ?|more than |less than |\D(?=\[))?({_NUMBER})(?![\w-])")
_NUMBERED = re.compile(r"\d+\. ")
_MARKED = re.compile(r"https://doi\.org/[^\s<>\"]*[^\s<>\".,;)]|`(?P<code>[^`]+)`")


def write(document: Document, title: str) -> str:
    """Format a document as HTML; whatever a text holds is shown as it is.

    Pictures that would make the page too large are left out, and it says so.

    Args:
        document: shapes to write, in their order.
        title: title of the page, as the tab of a browser shows it.
    """
    page = _Page()
    script = _read("page.js")
    return (
        _templates()
        .get_template("page.html")
        .render(
            document=document,
            title=title,
            generator=f"{GENERATOR} {ibbench.__version__}",
            style=Markup(_read("page.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            page=page,
            parts=[
                (page.anchor(shape), shape.text) for shape in document if isinstance(shape, Heading) and shape.level < 3
            ],
        )
    )


def is_ours(head: bytes) -> bool:
    """Whether the beginning of a file is that of a page which `write` has made."""
    return f'<meta name="generator" content="{GENERATOR}'.encode() in head[:_HEAD]


class _Page:
    """What the template asks for, and what of a page must be counted: anchors, ids of pictures, bytes."""

    def __init__(self) -> None:
        self._anchors: dict[int, str] = {}
        self._drawn = self._bytes = 0

    def kind(self, shape: Any) -> str:
        return type(shape).__name__

    def anchor(self, shape: Heading) -> str:
        """Return the id of a heading, the same whenever it is asked for."""
        stem = re.sub(r"[^a-z0-9]+", "-", shape.text.lower()).strip("-")
        return self._anchors.setdefault(id(shape), f"{stem}-{len(self._anchors) + 1}")

    def number(self) -> int:
        """Return a number that nothing else on the page has."""
        self._drawn += 1
        return self._drawn

    def picture(self, picture: Picture) -> Inline | None:
        """Draw a picture; None where the page would be too large."""
        return self.drawing(render(picture, "svg").decode(), picture.caption or picture.name)

    def drawing(self, svg: str, label: str) -> Inline | None:
        """Prepare a drawing for the page; None where it would be too large."""
        made = inline(svg, f"p{self.number()}-", label)
        size = len(made.text.encode())
        if self._bytes + size > _MOST_DRAWN:
            return None
        self._bytes += size
        return made._replace(text=Markup(made.text))

    def rows(self, table: Table) -> Iterator[tuple[bool, list[tuple[str, str, float | None]]]]:
        """Return of each row whether it stands out, and of each cell its column, text and what it is sorted by."""
        sorted_by = {column: _figures([row[column] for row in table.rows]) for column in table.columns}
        for place, row in enumerate(table.rows):
            stands_out = place < len(table.emphasised) and bool(table.emphasised[place])
            yield stands_out, [(column, cell, sorted_by[column][place]) for column, cell in row.items()]

    def is_number(self, table: Table, column: str) -> bool:
        """Whether the cells of a column are figures, which stand at the right; the number of a rung is none."""
        cells = [row[column] for row in table.rows]
        return not any(map(_NUMBERED.match, cells)) and any(value is not None for value in _figures(cells))

    def layout(self, table: Table, column: str) -> str:
        """Return how cells of a column are laid out: figures, sentences, which need room to be read, or words."""
        if self.is_number(table, column):
            return "number"
        return "long" if any(len(row[column]) > _SENTENCE and " " in row[column] for row in table.rows) else "text"


def _figures(cells: list[str]) -> list[float | None]:
    """Return the figure that each cell begins with; all None if there is a text that begins with none."""
    found = [_FIGURE.match(cell) for cell in cells]
    if any(cell and not figure for cell, figure in zip(cells, found, strict=True)):
        return [None] * len(cells)
    return [float(figure[1].replace(",", "").replace("−", "-")) if figure else None for figure in found]


def _mark_up(text: str) -> Markup:
    """Make links of the addresses of papers in a text, and code of what stands between backticks."""
    parts, end = Markup(), 0
    for found in _MARKED.finditer(text):
        parts += escape(text[end : found.start()])
        if found["code"] is not None:
            parts += Markup("<code>{}</code>").format(found["code"])
        else:
            parts += Markup('<a href="{0}">{0}</a>').format(found[0])
        end = found.end()
    return parts + escape(text[end:])


@cache
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("ibbench", "report/pages")
    templates = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    templates.filters["mark_up"] = _mark_up
    return templates


def _read(name: str) -> str:
    return (Path(__file__).parent / "pages" / name).read_text(encoding="utf-8")
