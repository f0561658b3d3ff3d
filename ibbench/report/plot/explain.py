"""Drawings of what models look at in a molecule: occlusion of all models, and below it attention by head."""

from typing import Literal

import numpy as np

from ibbench.probes.explain.look import Floats, Look
from ibbench.probes.explain.one import Explained
from ibbench.report.cells import Notation, notation_of
from ibbench.report.explain import write
from ibbench.report.plot.atoms import Panel, Scale, draw_atoms

_SHARES = Notation(2)
_MOST_IN_A_ROW = 5  # drawings


def draw_explained(one: Explained, hydrogens: dict[str, str], style: Literal["svg", "png"]) -> bytes:
    """Draw a molecule with what each model looks at.

    The first drawings show occlusion, one per model, averaged over seeds. Below them are drawings of attention for each
    model that has it: the mean over seeds, layers and heads, and then each head of the first seed, averaged over
    layers. Heads of different seeds do not correspond to each other, so they are not averaged over seeds.

    Args:
        one: the molecule, with occlusion, attention and predictions of each model.
        hydrogens: the option `data.hydrogens` of each model, by its name: `explicit` or `implicit`.
        style: the file format.

    Returns:
        The content of the file.
    """
    rows = _fold(_occlusion(one, hydrogens))
    limit = max(float(np.nanmax(np.abs(found.change[:, 0].mean(0)))) for found in one.looks)
    column = one.looks[0].column
    unit = f" {column.unit}" if column.unit else ""
    written = notation_of(limit, 2).write(limit) + unit
    meaning = f"change of the predicted {column.target} when an atom's features are hidden, mean over seeds"
    scales = [Scale(limit, written, meaning, True)]
    attentive = [found for found in one.looks if found.attention is not None]
    if attentive:
        most = max(float(np.nanmax(_shares(found).max(0))) for found in attentive)
        meaning = "share of attention that an atom gets, mean over layers and those that hear"
        scales.append(Scale(most, _SHARES.write(most), meaning, False))
        for found in attentive:
            rows += _fold(_attention(found, hydrogens))
    return draw_atoms(one.smiles, rows, scales, style)


def _occlusion(one: Explained, hydrogens: dict[str, str]) -> list[Panel]:
    largest = max(float(np.nanmax(np.abs(found.change[:, 0].mean(0)))) for found in one.looks)
    notation = notation_of(largest, 3)
    panels = []
    for found, (mean, deviation) in zip(one.looks, one.predicted, strict=True):
        name, unit = found.column.ensemble, f" {found.column.unit}" if found.column.unit else ""
        values = _there(found, found.change[:, 0].mean(0))
        notes = [f"{atom}: {_signed(value, notation)}" for atom, value in enumerate(values.tolist(), 1)]
        title = f"{name}: {found.column.target} {write(mean, deviation, notation)}{unit}"
        panels.append(Panel(title, values, notes, 0, hydrogens[name] == "explicit"))
    return panels


def _attention(found: Look, hydrogens: dict[str, str]) -> list[Panel]:
    name, shares = found.column.ensemble, _shares(found)
    heads = [f"head {number} of seed {found.seeds[0]}" for number in range(1, len(shares))]
    titles = [f"{name}: attention", *heads]
    panels = []
    for title, of_atoms in zip(titles, shares, strict=True):
        values = _there(found, of_atoms)
        notes = [f"{atom}: {_SHARES.write(value)}" for atom, value in enumerate(values.tolist(), 1)]
        panels.append(Panel(title, values, notes, 1, hydrogens[name] == "explicit"))
    return panels


def _shares(found: Look) -> Floats:
    """Return the shares of attention, `[1 + H, N]`: the mean over seeds and heads, and each head of the first seed."""
    assert found.attention is not None
    assert found.by_head is not None
    return np.concatenate([found.attention[:, 0].mean(0)[None], found.by_head[0, 0]])


def _there(found: Look, values: Floats) -> Floats:
    return values[found.numbers[0] > 0]


def _signed(value: float, notation: Notation) -> str:
    text = notation.write(value)
    return text if text.startswith("-") else f"+{text}"


def _fold(panels: list[Panel]) -> list[list[Panel]]:
    return [panels[start : start + _MOST_IN_A_ROW] for start in range(0, len(panels), _MOST_IN_A_ROW)]
