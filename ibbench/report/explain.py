"""Attributions of predictions to atoms (occlusion and attention), in words, tables and rows of a CSV."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ibbench.probes.explain.agreement import (
    ATTENTION,
    ATTENTION_OF_SEEDS,
    BONDS,
    OCCLUSION_OF_SEEDS,
    Agreement,
)
from ibbench.probes.explain.look import Floats, Look
from ibbench.probes.explain.one import Explained
from ibbench.report.cells import Notation, notation_of, with_interval
from ibbench.report.document import Remark, Shape, Table

_WHOSE = {
    "molecule": "SMILES of the molecule",
    "model": "name of the model, with what tells it from others of the study",
    "target": "short name of the target",
}
COLUMNS = {
    **_WHOSE,
    "unit": "unit of the target",
    "seed": "seed of the replica",
    "atom": "number of the atom in the SMILES, counted from 1",
    "element": "its element",
    "occlusion": "the prediction with the atom hidden minus that of the whole molecule, in the unit",
    "attention": "share of the attention that the atom gets; empty for a model without attention",
}
PAIR_COLUMNS = {
    **_WHOSE,
    "seed": "seed of the replica",
    "layer": "number of the layer, counted from 1",
    "head": "number of the head of attention, counted from 1",
    "hearer": "the atom that hears, or `token`",
    "heard": "the atom that is heard, or `token`",
    "weight": "the weight of attention between them",
}
_DIGITS = Notation(2)
_STRONG = 0.5  # a rank correlation of this size explains a quarter of the variance of ranks
_WEAK = 0.3
_HELP = (
    "Occlusion: change of the prediction when the features of an atom become the mean of the train atoms; bonds stay. "
    "Mean over seeds ± standard deviation between them. Attention: share that an atom gets, mean over layers, heads "
    "and those that hear."
)


def symbols(numbers: "np.ndarray") -> list[str]:
    """Return the symbols of elements.

    Args:
        numbers: atomic numbers, `[N]`; 0 for padding, which is left out.
    """
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return [table.GetElementSymbol(number) for number in numbers.tolist() if number]


def spread(values: Floats) -> Floats:
    """Return the sample standard deviation over seeds, from `[S, ...]` to `[...]`; NaN for a single seed."""
    return values.std(0, ddof=1) if len(values) > 1 else np.full(values.shape[1:], np.nan)


def to_rows(smiles: Sequence[str], looks: Sequence[Look]) -> pd.DataFrame:
    """Return a table with one row per molecule, model, target, seed and atom, with `COLUMNS`.

    Args:
        smiles: SMILES of the m molecules.
        looks: occlusion and attention of each model and target in these molecules.
    """
    rows = []
    for found in looks:
        who = (found.column.ensemble, found.column.target, found.column.unit)
        for place, text in enumerate(smiles):
            elements = symbols(found.numbers[place])
            for number, seed in enumerate(found.seeds):
                for atom, element in enumerate(elements):
                    share = None if found.attention is None else float(found.attention[number, place, atom])
                    change = float(found.change[number, place, atom])
                    rows.append((text, *who, seed, atom + 1, element, change, share))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def to_pairs(smiles: str, looks: Sequence[Look]) -> pd.DataFrame:
    """Return the attention between atoms: one row per seed, layer, head and pair of atoms, with `PAIR_COLUMNS`.

    Args:
        smiles: SMILES of a single molecule.
        looks: attention of each model in this molecule; models without attention are left out.
    """
    rows = []
    for found in looks:
        if found.pairs is None:
            continue
        count = int((found.numbers[0] > 0).sum())
        size = found.numbers.shape[1]
        token = {size: "token"} if found.pairs.shape[-1] > size else {}
        names = {atom: str(atom + 1) for atom in range(count)} | token
        for number, seed in enumerate(found.seeds):
            weights = found.pairs[number, 0]
            for layer, head, hearer, heard in zip(*np.nonzero(weights > 0), strict=True):
                if hearer in names and heard in names:
                    where = (seed, layer + 1, head + 1, names[hearer], names[heard])
                    weight = float(weights[layer, head, hearer, heard])
                    rows.append((smiles, found.column.ensemble, found.column.target, *where, weight))
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS), dtype=object)


def tabulate(one: Explained) -> list[Shape]:
    """Return a table of occlusion and attention, one row per atom of a molecule, and each model's prediction."""
    first = max(one.looks, key=lambda found: int((found.numbers > 0).sum()))
    elements = symbols(first.numbers[0])
    target, unit = first.column.target, first.column.unit
    largest = max(float(np.nanmax(np.abs(found.change.mean(0)))) for found in one.looks)
    notation = notation_of(largest, 3)
    rows = []
    for atom, element in enumerate(elements):
        cells = {"atom": str(atom + 1), "element": element}
        for found in one.looks:
            name = found.column.ensemble
            cells[name] = _figure(found.change[:, 0], atom, notation)
            if found.attention is not None:
                cells[f"{name} attention"] = _figure(found.attention[:, 0], atom, _DIGITS)
        rows.append(cells)
    title = f"{one.smiles}: change of {target}{f' in {unit}' if unit else ''} when an atom's features are hidden"
    predicted = "; ".join(
        f"{found.column.ensemble} {write(mean, deviation, notation)}"
        for found, (mean, deviation) in zip(one.looks, one.predicted, strict=True)
    )
    return [
        Table(rows, title, text={"atom", "element"}),
        Remark(f"Predicted {target}{f' in {unit}' if unit else ''}: {predicted}."),
    ]


def explain_words() -> Remark:
    """Return the remark that explains the figures of `tabulate`."""
    return Remark(_HELP)


def write(mean: float, deviation: float, notation: Notation) -> str:
    """Format a mean with its standard deviation over seeds, if that is known; empty if the mean is unknown."""
    if not np.isfinite(mean):
        return ""
    return notation.write(mean) + (f" ± {notation.write(deviation)}" if np.isfinite(deviation) else "")


def _figure(values: Floats, atom: int, notation: Notation) -> str:
    if atom >= values.shape[1]:
        return ""
    return write(float(values[:, atom].mean()), float(spread(values)[atom]), notation)


def tell_agreement(found: Look, agreements: Sequence[Agreement]) -> list[str]:
    """Say in sentences whether attention and occlusion agree; empty for models without attention.

    Args:
        found: occlusion and attention of one model and target.
        agreements: result of `ibbench.probes.explain.agreement.agree` for them.
    """
    if found.attention is None:
        return []
    who = f"{found.column.ensemble}, {found.column.target}"
    known = {one.quantity: one for one in agreements}
    main = known.get(ATTENTION)
    if main is None:
        return [
            f"{who}: attention and occlusion cannot be compared here: that takes three atoms that are not all alike."
        ]
    told = [f"{who}: {_verdict(main)} (Spearman's rank correlation over atoms {_cell(main)}, {_over(found, main)})."]
    parts = _beside(known)
    return told + ([f"{who}: for comparison, the correlation of {'; of '.join(parts)}."] if parts else [])


def _verdict(one: Agreement) -> str:
    interval = one.interval()
    if interval is None:
        return "without a variance over seeds or molecules, nothing is concluded on attention and occlusion"
    low, high = interval
    if low > _STRONG:
        return "attention and occlusion agree: atoms that get more attention change the prediction more when hidden"
    if low > 0 and high < _WEAK:
        return (
            "attention and occlusion hardly agree: the attention that atoms get orders them by how much hiding them "
            "changes little better than chance"
        )
    if low > 0:
        return (
            "attention and occlusion agree in part: atoms that get more attention tend to change the prediction more "
            "when hidden, but it does not tell which do"
        )
    if high < 0:
        return (
            "attention and occlusion contradict each other: atoms that get more attention change the prediction less "
            "when hidden"
        )
    if max(abs(low), high) < _WEAK:
        return (
            "attention and occlusion do not agree: the attention that an atom gets does not tell how much hiding it "
            "changes"
        )
    return "no agreement of attention and occlusion is shown, but so few seeds or molecules do not rule it out either"


def _cell(one: Agreement) -> str:
    low, high = one.interval() or (None, None)
    return with_interval(one.estimate.value, low, high, _DIGITS)


def _over(found: Look, one: Agreement) -> str:
    seeds = "1 seed" if len(found.seeds) == 1 else f"{len(found.seeds)} seeds"
    if len(found.numbers) == 1:
        return f"mean over {seeds}, of this molecule, which says nothing of others: --molecules 200 asks test molecules"
    left = f"; {one.num_without:,} with fewer than three atoms, or with atoms all alike, are left out"
    return f"mean over {seeds} and {one.num_molecules:,} molecules{left * bool(one.num_without)}"


def _beside(known: dict[str, Agreement]) -> list[str]:
    words = {
        BONDS: "the number of bonds of an atom with occlusion is",
        OCCLUSION_OF_SEEDS: "the occlusion of one seed with that of another is",
        ATTENTION_OF_SEEDS: "the attention of one seed with that of another is",
    }
    return [f"{text} {_cell(known[quantity])}" for quantity, text in words.items() if quantity in known]
