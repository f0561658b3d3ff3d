"""The molecules that are predicted worst, drawn and named, with what the models say of them."""

from pathlib import Path
from typing import Any

import numpy as np

from ibbench.compare.rows import Entry, Group
from ibbench.compare.study import Study
from ibbench.compare.worst import Worst, find_worst
from ibbench.data.cache import CacheError
from ibbench.data.stored import read_smiles
from ibbench.report.cells import Notation, decimals_of
from ibbench.report.document import Drawing, Gallery, Remark, Shape, Table
from ibbench.worth.names import name_entries

_WIDTH, _HEIGHT = 220, 160  # pixels of a molecule
_MOST_MOLECULES = 6  # of a target
_MOST_MODELS = 8  # whose predictions of them are told


def tell_all_worst(study: Study, folder: Path, largest: dict[Group, list[Entry]]) -> dict[Group, list[Shape]]:
    """Draw and list the molecules that are predicted worst, by target.

    Args:
        study: a study as read.
        folder: the folder of the study, which has the predictions.
        largest: the entries of each target at one train size.

    Returns:
        Nothing of a target without predictions. Where the data cache is not here, molecules are listed by index alone.
    """
    found = {
        group: worst
        for group, entries in largest.items()
        if (worst := find_worst(folder, study, entries, _MOST_MOLECULES, _MOST_MODELS))
    }
    told: dict[Group, list[Shape]] = {}
    for section in dict.fromkeys(group.section for group in found):
        groups = [group for group in found if group.section == section]
        index = np.concatenate([found[group].places for group in groups])
        ids = np.concatenate([found[group].ids for group in groups])
        try:
            smiles, reason = read_smiles(section.source, section.hydrogens, index, ids), ""
        except CacheError as error:
            smiles = []
            reason = f"They are not drawn, since the data cache {error}: `ibbench data prepare` builds that of QM9."
        for group in groups:
            count = len(found[group].places)
            told[group] = tell_worst(group, found[group], smiles[:count] or None, reason)
            smiles = smiles[count:]
    return told


def tell_worst(group: Group, worst: Worst, smiles: list[str] | None, why_unnamed: str = "") -> list[Shape]:
    """Draw and list molecules, those with the largest errors first.

    Args:
        group: target and train size that the predictions are of.
        worst: molecules with the largest errors.
        smiles: SMILES of each molecule; None where they are unknown.
        why_unnamed: sentence that says why SMILES are unknown.
    """
    names = name_entries(entry for entry, _ in worst.predicted)
    best = names[worst.best.key][0]
    seeds = len(worst.best.replicas)
    notation = Notation(decimals_of(worst.best.sample.mae, 3))
    unit = f" {group.unit}" if group.unit and not group.is_class else ""  # the probability of class 1 has none
    shapes: list[Shape] = [
        Remark(
            f"{group.target}: the {len(worst.places)} test molecules that {best}, the model with the lowest error, "
            f"predicts worst, by the mean of their absolute errors over {seeds} {'seed' if seeds == 1 else 'seeds'}. "
            + ("" if smiles else why_unnamed)
        )
    ]
    if smiles:
        drawings = []
        for place, text in enumerate(smiles):
            predicted = f"predicted {notation.write(worst.predicted[0][1][place])}{unit}"
            truth = f"true {notation.write(worst.truth[place])}{unit}"
            error = f"error {notation.write(worst.error[place])}{unit}"
            drawn = draw_molecule(text)
            lines = [text, f"index {worst.places[place]:,}", truth, predicted, error]
            drawings.append(Drawing(drawn, lines if drawn else [*lines, "not drawn: RDKit cannot read it"]))
        shapes.append(Gallery(drawings))
    rows = [
        {
            **({"SMILES": smiles[place]} if smiles else {}),
            "index": f"{worst.places[place]:,}",
            "id": str(worst.ids[place]),
            f"true{unit}": notation.write(worst.truth[place]),
            **{names[entry.key][0]: notation.write(means[place]) for entry, means in worst.predicted},
            f"error of {best}": notation.write(worst.error[place]),
        }
        for place in range(len(worst.places))
    ]
    return [*shapes, Table(rows, f"{group.target}: what the models say of them", text={"SMILES"})]


def draw_molecule(smiles: str) -> str:
    """Draw a molecule as SVG, in colours for a light background; empty where RDKit cannot read it."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)  # None where it cannot be read
    if molecule is None:
        return ""
    drawer = rdMolDraw2D.MolDraw2DSVG(_WIDTH, _HEIGHT)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.fixedBondLength = 28
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())
