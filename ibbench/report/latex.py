"""The tables of a document as LaTeX, for a paper that uses booktabs."""

import re
from collections.abc import Iterator

from ibbench.report.document import Document, Remark, Table

_NEEDED = "% needs \\usepackage{booktabs}\n"
_ESCAPED = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
_IN_MATH = str.maketrans(
    {
        "±": r"$\pm$",
        "²": "$^2$",
        "−": "$-$",
        "≈": r"$\approx$",
        "∞": r"$\infty$",
        "×": r"$\times$",
    }
)
_POWER = re.compile(r"(?<=\d)e(-?\d+)")
_MINUS = re.compile(r"(?<![\w.$^{])-(?=[\d.])")


def write(document: Document) -> str:
    """Format each table as a tabular and each remark as a comment; other shapes are left out.

    In an emphasised row the cell of the headline column is bold.
    """
    parts = []
    for shape in document:
        match shape:
            case Table() if shape.rows:
                parts.append("".join([*_comment(shape.title), *(f"{line}\n" for line in _tabular(shape))]))
            case Remark():
                parts.append("".join(_comment(shape.text)))
    return (_NEEDED if any(isinstance(shape, Table) for shape in document) else "") + "\n".join(parts)


def _comment(text: str) -> list[str]:
    return [f"% {line}\n" for line in text.splitlines()]


def _tabular(table: Table) -> Iterator[str]:
    alignment = "".join("l" if column in table.text else "r" for column in table.columns)
    yield rf"\begin{{tabular}}{{{alignment}}}"
    yield r"\toprule"
    yield _row([_escape(column) for column in table.columns])
    yield r"\midrule"
    for place, row in enumerate(table.rows):
        cells = {name: _escape(cell, is_number=name not in table.text) for name, cell in row.items()}
        if place < len(table.emphasised) and table.emphasised[place]:
            cells[table.headline] = rf"\textbf{{{cells[table.headline]}}}"
        yield _row(list(cells.values()))
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _row(cells: list[str]) -> str:
    line = " & ".join(cells)
    return ("{}" if line.startswith("[") else "") + line + r" \\"  # or a bracket would be an argument of the last `\\`


def _escape(text: str, is_number: bool = False) -> str:
    """Escape a text for LaTeX; in a number, also write a proper minus sign, and the exponent as a power of ten."""
    escaped = " ".join(text.splitlines()).translate(_ESCAPED)
    if is_number:
        escaped = _MINUS.sub("$-$", _POWER.sub(r"$\\times 10^{\1}$", escaped))
    return escaped.translate(_IN_MATH)
