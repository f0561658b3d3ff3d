"""The tables of a document as LaTeX, for a paper that uses booktabs."""

import pandas as pd

from ibbench.report.document import Document, Remark, Table


def write(document: Document) -> str:
    """Format each table as a tabular and each remark as a comment; other shapes are left out.

    The headline of an emphasised row is bold.
    """
    parts = []
    for shape in document:
        match shape:
            case Table():
                parts.append((f"% {shape.title}\n" if shape.title else "") + _tabular(shape))
            case Remark():
                parts.append(f"% {shape.text}\n")
    return "\n".join(parts)


def _tabular(table: Table) -> str:
    frame = pd.DataFrame(table.rows).map(_in_math)
    frame.columns = pd.Index([_in_math(column) for column in frame.columns])
    bold = pd.DataFrame("", index=frame.index, columns=frame.columns)
    if table.emphasised:
        bold.loc[list(table.emphasised), _in_math(table.headline)] = "textbf:--rwrap;"
    styled = frame.style.hide(axis="index").format(escape="latex-math").format_index(axis=1, escape="latex-math")
    alignment = "".join("l" if column in table.text else "r" for column in table.columns)
    return str(styled.apply(lambda _: bold, axis=None).to_latex(hrules=True, column_format=alignment))


def _in_math(text: str) -> str:
    return text.translate({ord("±"): "$\\pm$", ord("²"): "$^2$", ord("−"): "$-$"})
