"""Figures of atoms on a drawn molecule, several drawings side by side, by RDKit's own pen."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

_Colour = tuple[float, float, float]
# Of Okabe & Ito, which differ for the colour-blind too. A figure stands at each atom besides.
_FALLS, _RISES, _SHARE = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45)
_MOST = 0.8  # of a colour, so that letters on it can be read
_BAR, _WIDE, _LINE = 34, 180, 13  # pixels: height of a scale and its words, width of a scale, height of letters
_STEPS = 60  # of colour in a scale


class Panel(NamedTuple):
    """One drawing.

    Attributes:
        title: what stands below it.
        values: a figure for each atom.
        notes: the same in words, which stand at the atoms.
        scale: which of the scales its colours follow.
        explicit: whether hydrogens are atoms of their own.
    """

    title: str
    values: NDArray[np.float64]
    notes: Sequence[str]
    scale: int
    explicit: bool = False


class Scale(NamedTuple):
    """What colours mean.

    Attributes:
        limit: the figure that has the full colour.
        written: the same in words.
        meaning: what the colours show.
        signed: whether it goes from minus the limit to the limit, and not from 0.
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
        smiles: the molecule; its atoms are in the order of the figures.
        rows: the panels of each row.
        scales: what the colours mean.
        style: the format.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    molecules = {explicit: _lay_out(smiles, explicit) for explicit in {one.explicit for row in rows for one in row}}
    num_atoms = max(molecule.GetNumAtoms() for molecule in molecules.values())
    width = min(300 + 9 * max(0, num_atoms - 8), 700)
    height, columns = int(0.8 * width), max(map(len, rows))
    size = columns * width, len(rows) * height + _BAR * len(scales)
    pen: Any = {"svg": rdMolDraw2D.MolDraw2DSVG, "png": rdMolDraw2D.MolDraw2DCairo}[style](*size, width, height)
    options = pen.drawOptions()
    options.useBWAtomPalette()
    options.annotationFontScale, options.highlightRadius, options.padding = 0.55, 0.36, 0.1
    options.legendFontSize, options.legendFraction = _LINE + 2, 0.12
    options.continuousHighlight, options.circleAtoms = False, True
    cells = [one for row in rows for one in [*row, *[None] * (columns - len(row))]]
    drawn = [None if one is None else _annotate(molecules[one.explicit], one.notes) for one in cells]
    colours = [{} if one is None else _colour(one, scales[one.scale]) for one in cells]
    pen.DrawMolecules(
        drawn,
        highlightAtoms=[list(one) for one in colours],
        highlightBonds=[[] for _ in cells],
        highlightAtomColors=colours,
        highlightBondColors=[{} for _ in cells],
        legends=["" if one is None else one.title for one in cells],
    )
    for place, scale in enumerate(scales):
        _draw_scale(pen, scale, len(rows) * height + _BAR * place)
    pen.FinishDrawing()
    content = pen.GetDrawingText()
    return content.encode() if isinstance(content, str) else bytes(content)


def _lay_out(smiles: str, explicit: bool) -> Any:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    molecule = Chem.MolFromSmiles(smiles)
    molecule = Chem.AddHs(molecule) if explicit else molecule
    rdDepictor.Compute2DCoords(molecule)
    return molecule


def _annotate(molecule: Any, notes: Sequence[str]) -> Any:
    from rdkit import Chem

    copy = Chem.Mol(molecule)
    for atom, note in zip(copy.GetAtoms(), notes, strict=True):
        atom.SetProp("atomNote", note)
    return copy


def _colour(panel: Panel, scale: Scale) -> dict[int, _Colour]:
    shares = panel.values / scale.limit if scale.limit > 0 else np.zeros(len(panel.values))
    return {atom: _tint(share, scale) for atom, share in enumerate(shares.tolist())}


def _tint(share: float, scale: Scale) -> _Colour:
    full = _SHARE if not scale.signed else _RISES if share > 0 else _FALLS
    much = _MOST * min(1.0, abs(share))
    red, green, blue = (1 - much * (1 - part) for part in full)
    return red, green, blue


def _draw_scale(pen: Any, scale: Scale, top: int) -> None:
    """Draw what the colours mean, with words beside."""
    from rdkit.Geometry import Point2D

    left, low = 90, -1.0 if scale.signed else 0.0
    pen.SetOffset(0, 0)
    pen.SetFillPolys(True)
    pen.SetLineWidth(0)
    step = _WIDE / _STEPS
    for number in range(_STEPS):
        pen.SetColour(_tint(low + (1 - low) * (number + 0.5) / _STEPS, scale))
        corner = left + number * step
        pen.DrawRect(Point2D(corner, top + 8), Point2D(corner + step, top + 24), True)
    pen.SetColour((0.0, 0.0, 0.0))
    pen.SetFontSize(_LINE)
    right_aligned, left_aligned = 2, 1  # RDKit counts from the other side
    words = "-" + scale.written if scale.signed else "0"
    pen.DrawString(words, Point2D(left - 8, top + 16), right_aligned, True)
    end = ("+" if scale.signed else "") + scale.written
    pen.DrawString(f"{end}   {scale.meaning}", Point2D(left + _WIDE + 8, top + 16), left_aligned, True)
