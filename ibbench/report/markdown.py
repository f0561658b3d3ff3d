"""A document as Markdown."""

from collections.abc import Iterator

from ibbench.report.document import Details, Document, Heading, Picture, Points, Remark, Table


def write(document: Document) -> str:
    """Format a document as Markdown. Pictures are linked as SVG files in the same folder."""
    return "\n\n".join(_blocks(document)) + "\n"


def _blocks(document: Document) -> Iterator[str]:
    for shape in document:
        match shape:
            case Heading():
                yield f"{'#' * shape.level} {shape.text}"
            case Remark():
                yield shape.text
            case Points() if shape.items:
                yield "\n".join(f"- {item}" for item in shape.items)
            case Table():
                if shape.title:
                    yield f"## {shape.title}"
                yield "\n".join(_lines(shape))
            case Picture():
                yield f"![{shape.name}]({shape.name}.svg)"
            case Details():
                yield from _blocks(shape.shapes)


def _lines(table: Table) -> Iterator[str]:
    yield _line(table.columns)
    yield _line([":--" if column in table.text else "--:" for column in table.columns])
    for place, row in enumerate(table.rows):
        if place < len(table.emphasised) and table.emphasised[place]:
            row = row | {table.headline: f"**{row[table.headline]}**"}
        yield _line(list(row.values()))


def _line(cells: list[str]) -> str:
    """Return a row of a table; bars in cells are escaped and line ends replaced, since they would end cell or row."""
    cells = [" ".join(cell.replace("|", r"\|").splitlines()) for cell in cells]
    return f"| {' | '.join(cells)} |"
