"""Figures of atoms as colours on drawings of a molecule, several side by side, drawn by RDKit."""

import html
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.report.plot.notes import place_notes

_Colour = tuple[float, float, float]
# Colours of Okabe & Ito, which the colour-blind can tell apart. Besides, the figure of each atom is written beside it.
_FALLS, _RISES, _SHARE = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45)
_STRONGEST = 0.8  # share of a full colour that is used at most, so that letters on it can be read
_SCALE_HEIGHT, _SCALE_WIDTH = 34, 180  # pixels; the height includes the words
_TITLE_SIZE, _SCALE_SIZE, _NOTE_SIZE = 15, 13, 11  # pixels: height of letters of titles, scales, and at atoms
_STEPS = 60  # rectangles of one colour each that make up a scale


class Panel(NamedTuple):
    """One drawing of the molecule, coloured by one figure per atom.

    Attributes:
        title: the text below the drawing.
        values: the figure of each atom, in the unit of the scale, `[N]`.
        notes: the text beside each atom, such as its figure in words.
        scale: index of the scale that the colours follow.
        explicit: whether hydrogens are atoms of their own.
    """

    title: str
    values: NDArray[np.float64]
    notes: Sequence[str]
    scale: int
    explicit: bool = False


class Scale(NamedTuple):
    """A scale that says what the colours of drawings mean.

    Attributes:
        limit: the figure that has the full colour.
        written: the limit in words, with its unit.
        meaning: the quantity that the colours show, in words.
        signed: whether the scale goes from minus the limit to the limit; otherwise it goes from 0 to the limit.
    """

    limit: float
    written: str
    meaning: str
    signed: bool


def draw_atoms(
    smiles: str, rows: Sequence[Sequence[Panel]], scales: Sequence[Scale], style: Literal["svg", "png"]
) -> bytes:
    """Draw a molecule once for each panel, with scales below.

    Args:
        smiles: the molecule, whose order of atoms is that of the figures.
        rows: the panels of each row.
        scales: the scales of the colours.
        style: the file format.

    Returns:
        The content of the file.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    molecules = {explicit: _lay_out(smiles, explicit) for explicit in {one.explicit for row in rows for one in row}}
    num_atoms = max(molecule.GetNumAtoms() for molecule in molecules.values())
    width = min(360 + 14 * max(0, num_atoms - 8), 900)
    height, columns = int(0.72 * width), max(map(len, rows))
    size = columns * width, len(rows) * height + _SCALE_HEIGHT * len(scales)
    # As text, letters take a tenth of the room that their outlines do, and can be searched for.
    as_text = style == "svg"
    pen: Any = _pens(rdMolDraw2D)[style](*size, width, height, as_text)
    _choose_look(pen)
    cells = [one for row in rows for one in [*row, *[None] * (columns - len(row))]]
    drawn = [None if one is None else molecules[one.explicit] for one in cells]
    colours = [{} if one is None else _colour(one, scales[one.scale]) for one in cells]
    pen.DrawMolecules(
        drawn,
        highlightAtoms=[list(one) for one in colours],
        highlightBonds=[[] for _ in cells],
        highlightAtomColors=colours,
        highlightBondColors=[{} for _ in cells],
        legends=["" if one is None else " " for one in cells],  # an empty legend leaves room for a title
    )
    writer = _Writer(pen)
    for number, one in enumerate(cells):
        if one is not None:
            corner = np.array([number % columns * width, number // columns * height])
            _write_notes(writer, molecules, one, corner, (width, height))
    for place, scale in enumerate(scales):
        _draw_scale(writer, scale, len(rows) * height + _SCALE_HEIGHT * place)
    pen.FinishDrawing()
    content = pen.GetDrawingText()
    if isinstance(content, bytes):
        return content
    return _shorten(content).replace("</svg>", "".join([*writer.texts, "</svg>"])).encode()


class _Writer:
    """Writes text on a picture.

    In an SVG a text becomes one element: RDKit would place each letter by itself, by the widths of another font.

    Attributes:
        texts: the text elements that are to be added to an SVG.
    """

    def __init__(self, pen: Any) -> None:
        self.pen, self.texts = pen, list[str]()
        pen.SetOffset(0, 0)

    def write(self, text: str, x: float, y: float, size: int, align: Literal["start", "middle", "end"]) -> None:
        """Write a line of text.

        Args:
            text: the text.
            x: horizontal place, in pixels from the left.
            y: vertical place of the middle of the letters, in pixels from the top.
            size: height of the letters, in pixels.
            align: whether the text starts at x, has its middle there, or ends there.
        """
        from rdkit.Geometry import Point2D

        if hasattr(self.pen, "AddMoleculeMetadata"):  # only RDKit's pen for SVG has this method
            words = html.escape(text)
            self.texts.append(
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{align}" dominant-baseline="central" '
                f'font-family="sans-serif" font-size="{size}">{words}</text>\n'
            )
            return
        self.pen.SetColour((0.0, 0.0, 0.0))
        self.pen.SetFontSize(size)
        # For RDKit 0 is the middle of a text, 1 its start and 2 its end. RDKit's font has only ASCII letters.
        plain = text.replace("±", "+/-").encode("ascii", "replace").decode()
        self.pen.DrawString(plain, Point2D(x, y), {"middle": 0, "start": 1, "end": 2}[align], True)


def _shorten(svg: str) -> str:
    """Replace repeated styles in an SVG by classes, which makes it a third as long, and state its encoding as UTF-8."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return f"class='{names.setdefault(found[1], f's{len(names)}')}'"

    svg = svg.replace("encoding='iso-8859-1'", "encoding='UTF-8'", 1)
    svg = re.sub(r"style='([^']*)'", name, re.sub(r"\s+class='[^']*'", "", svg))
    rules = "".join(f".{short}{{{style}}}" for style, short in names.items())
    return svg.replace("<!-- END OF HEADER -->", f"<style>{rules}</style>", 1)


def _pens(module: Any) -> dict[str, Any]:
    return {"svg": module.MolDraw2DSVG, "png": module.MolDraw2DCairo}


def _lay_out(smiles: str, explicit: bool) -> Any:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    molecule = Chem.MolFromSmiles(smiles)
    molecule = Chem.AddHs(molecule) if explicit else molecule
    rdDepictor.Compute2DCoords(molecule)
    return molecule


def _choose_look(pen: Any) -> None:
    options = pen.drawOptions()
    options.useBWAtomPalette()
    options.highlightRadius, options.padding = 0.36, 0.14
    options.legendFraction = 0.12
    options.continuousHighlight, options.circleAtoms = False, True


def _write_notes(
    writer: _Writer, molecules: dict[bool, Any], panel: Panel, corner: NDArray[np.int64], size: tuple[int, int]
) -> None:
    """Write the notes of a panel at its atoms, and its title below."""
    molecule = molecules[panel.explicit]
    places = _find_places(molecule, molecules, size)
    for note, (x, y) in zip(panel.notes, corner + place_notes(molecule, places, panel.notes, size[0]), strict=True):
        writer.write(note, x, y, _NOTE_SIZE, "middle")
    x, y = corner
    writer.write(panel.title, x + size[0] / 2, y + 0.94 * size[1], _TITLE_SIZE, "middle")


def _find_places(molecule: Any, molecules: dict[bool, Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the places of the atoms in a panel, in pixels, `[N, 2]`.

    RDKit gives the places of atoms only for the last of several drawings, and draws all on the same scale. So all
    molecules are drawn once more, this one last.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = [*(other for other in molecules.values() if other is not molecule), molecule]
    pen = rdMolDraw2D.MolDraw2DSVG(size[0] * len(drawn), size[1], *size, True)
    _choose_look(pen)
    pen.DrawMolecules(drawn, legends=[" "] * len(drawn))
    points = [pen.GetDrawCoords(atom) for atom in range(molecule.GetNumAtoms())]
    return np.array([(point.x, point.y) for point in points]) - [size[0] * (len(drawn) - 1), 0]


def _colour(panel: Panel, scale: Scale) -> dict[int, _Colour]:
    shares = panel.values / scale.limit if scale.limit > 0 else np.zeros(len(panel.values))
    return {atom: _tint(share, scale) for atom, share in enumerate(shares.tolist())}


def _tint(share: float, scale: Scale) -> _Colour:
    full = _SHARE if not scale.signed else _RISES if share > 0 else _FALLS
    strength = _STRONGEST * min(1.0, abs(share))
    red, green, blue = (1 - strength * (1 - part) for part in full)
    return red, green, blue


def _draw_scale(writer: _Writer, scale: Scale, top: int) -> None:
    """Draw a scale of colours with its words beside it; its upper edge is at `top` pixels."""
    from rdkit.Geometry import Point2D

    left, low, pen = 90, -1.0 if scale.signed else 0.0, writer.pen
    pen.SetFillPolys(True)
    pen.SetLineWidth(0)
    step = _SCALE_WIDTH / _STEPS
    for number in range(_STEPS):
        pen.SetColour(_tint(low + (1 - low) * (number + 0.5) / _STEPS, scale))
        corner = left + number * step
        pen.DrawRect(Point2D(corner, top + 8), Point2D(corner + step, top + 24), True)
    writer.write(f"-{scale.written}" if scale.signed else "0", left - 8, top + 16, _SCALE_SIZE, "end")
    end = ("+" if scale.signed else "") + scale.written
    writer.write(f"{end}   {scale.meaning}", left + _SCALE_WIDTH + 8, top + 16, _SCALE_SIZE, "start")
