"""How pictures look and are saved: besides its colour, each model has its own marker and dash pattern."""

import hashlib
import io
import re
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from ibbench.files import write_atomically
from ibbench.report.cells import FAULTY
from ibbench.report.document import Picture

# The eight colours of Okabe & Ito (2008, Color Universal Design), which differ for the colour-blind too.
_COLOURS = ("#000000", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p", "d")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2, 2, 2)))
_SETTINGS: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.5,
    "legend.frameon": False,
    "svg.hashsalt": "ibbench",
    "svg.fonttype": "none",
}
_DOTS_PER_INCH = 150
_ROW_LETTERS = 44
_LONGEST = 60  # letters of a file's name, which may have 255 bytes, and up to 4 of them per letter
FORMATS = ("png", "svg")


class Look(NamedTuple):
    """How one model is drawn: its colour, marker and dash pattern, as matplotlib takes them."""

    color: str
    marker: str
    linestyle: Any


def looks(models: Sequence[str]) -> dict[str, Look]:
    """Choose the look of each model by its position in the list."""
    return {
        model: Look(_COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)], _DASHES[place % len(_DASHES)])
        for place, model in enumerate(dict.fromkeys(models))
    }


def plain(text: str) -> str:
    """Return a text that matplotlib shows as it is, a dollar sign included."""
    return text.replace("$", r"\$")


def wrapped(text: str) -> str:
    """Return a text as `plain` does, in lines of at most 44 letters, for the names of rows beside an axis."""
    return textwrap.fill(plain(text), _ROW_LETTERS)


def write_above(figure: Figure, text: str) -> None:
    """Write a line above all panels of a figure."""
    figure.suptitle(plain(text), x=0.01, ha="left", fontsize="small", color="#B00000")


def mark_no_claim(axes: Any, x: float, y: float) -> None:
    """Mark the point of a row that supports no claim with the sign that tables use.

    Args:
        axes: the axes of matplotlib to draw on.
        x: horizontal place of the point, in the unit of the axis.
        y: vertical place of the point, in the unit of the axis.
    """
    axes.annotate(FAULTY, (x, y), (5, 3), textcoords="offset points", fontsize=9)


def in_style() -> AbstractContextManager[None]:
    """Return the context in which pictures are drawn and saved."""
    return mpl.rc_context(_SETTINGS)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no screen; width and height are in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def add_axes(figure: Figure, rows: int, columns: int, **options: Any) -> list[Any]:
    """Return a grid of axes, row by row."""
    return list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def with_unit(name: str, unit: str) -> str:
    """Return the label of an axis: the name with the unit in parentheses, or the name alone if the unit is empty."""
    return f"{name} ({unit})" if unit else name


def file_stems(names: Sequence[str]) -> list[str]:
    """Return a different file name, without its suffix, for each of some names, which may contain any letters.

    A file name that differs from the name, or from another file name in capitals alone, ends with a digest of the name.

    Args:
        names: the names, such as `parity_` with the name of a user's target.
    """
    stems = [re.sub(r"[^\w.-]+", "_", name)[:_LONGEST] for name in names]
    folded = [stem.casefold() for stem in stems]
    return [
        stem if stem == name and folded.count(stem.casefold()) == 1 else f"{stem}-{_digest(name)}"
        for stem, name in zip(stems, names, strict=True)
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def save(picture: Picture, folder: Path) -> list[str]:
    """Write a picture as PNG and SVG; return the names of the files."""
    names = []
    for style in FORMATS:
        names.append(f"{picture.name}.{style}")
        write_atomically(folder / names[-1], render(picture, style))
    return names


def render(picture: Picture, style: str) -> bytes:
    """Return the content of a picture's file, which is the same whenever the same study is drawn.

    Args:
        picture: the picture.
        style: the file format, one of `FORMATS`.
    """
    content = io.BytesIO()
    metadata = {"Date": None} if style == "svg" else {"Software": None}
    with in_style():
        picture.figure.savefig(content, format=style, dpi=_DOTS_PER_INCH, metadata=metadata)
    return content.getvalue()
