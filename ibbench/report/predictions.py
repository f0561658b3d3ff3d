"""Predictions of molecules as rows of a CSV, as a table for people, and as JSON for programs."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ibbench.data.smiles_table import SmilesRow
from ibbench.report.cells import Notation, decimals_of, figure
from ibbench.report.document import Heading, Points, Remark, Shape, Table
from ibbench.run.ensemble import KINDS, Column, OfAtoms
from ibbench.run.forecast import Forecast

REMARK, ATOM = "remark", "atom"
_STATISTICS = {
    "mean": "prediction of the target by a model: the mean over its seeds, in the unit; of a target of atoms a list in "
    "brackets, one number per atom in the order of the SMILES",
    "std": "sample standard deviation of the prediction over seeds; empty for one seed",
}
# Before these stand the columns of the input, or one column `smiles` of what was typed.
COLUMNS = {f"TARGET [UNIT] MODEL {statistic}": text for statistic, text in _STATISTICS.items()} | {
    REMARK: "what is not to be trusted of the row, or why it has no prediction; empty if nothing"
}
_DECIMALS = 6
_TEXT = {"row", "line", "SMILES", ATOM, REMARK}
_LISTED = 20  # rows without a prediction that a screen lists
_HELP = (
    "Mean over seeds ± standard deviation between them, in the unit above: what another training changes, and not how "
    "far from the truth they are."
)


Figures = tuple[float, float] | tuple[list[float], list[float]]  # mean and deviation, of a molecule or of its atoms


class Predicted(NamedTuple):
    """One row of the input with its predictions.

    Attributes:
        number: number of the row, from 1.
        row: row as it was given.
        figures: mean and deviation for each column of the forecast, in its unit; NaN where nothing is predicted. Of a
            target of atoms they are lists, one number per atom; empty where nothing is predicted.
        remark: reasons not to trust the predictions; empty if there are none.
        elements: symbol of each atom that has figures; none if all targets are of molecules.
    """

    number: int
    row: SmilesRow
    figures: list[Figures]
    remark: str
    elements: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all columns have a prediction."""
        return all(bool(mean) if isinstance(mean, list) else math.isfinite(mean) for mean, _ in self.figures)


class Tally:
    """Counts over all rows, and the rows that are printed.

    Args:
        most_shown: largest number of rows to show; may be infinite.

    Attributes:
        rows: number of rows so far.
        lacking: number of rows that lack a prediction for at least one column.
        kinds: number of rows with a remark of each kind of `KINDS`.
        listed: the first rows that lack a prediction.
        shown: the first rows, at most `most_shown`.
    """

    def __init__(self, most_shown: float) -> None:
        self.rows = self.lacking = 0
        self.kinds: Counter[str] = Counter()
        self.listed: list[Predicted] = []
        self.shown: list[Predicted] = []
        self._most_shown = most_shown

    def add(self, rows: Sequence[SmilesRow], forecast: Forecast) -> list[Predicted]:
        """Count the rows of one chunk, and return them with their predictions."""
        figures = zip(forecast.mean.T.tolist(), forecast.deviation.T.tolist(), strict=True)
        done = []
        for place, (row, (means, deviations), remark) in enumerate(zip(rows, figures, forecast.remarks, strict=True)):
            self.rows += 1
            why = f"not read: {row.fault}" if row.fault else remark
            both: list[Figures] = [*zip(means, deviations, strict=True)]
            elements: tuple[str, ...] = ()
            for column, found in forecast.atoms.items():
                both[column] = list_atoms(found, place)
                elements = max(elements, (*filter(None, found.elements[place]),), key=len)
            done.append(Predicted(self.rows, row, both, why, elements))
        self.kinds += forecast.kinds
        lacking = [one for one in done if not one.is_whole]
        self.lacking += len(lacking)
        self.listed += lacking[: _LISTED - len(self.listed)]
        self.shown += done[: int(min(len(done), max(0, self._most_shown - len(self.shown))))]
        return done


def list_atoms(found: OfAtoms, place: int) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each atom of one molecule; two empty lists where nothing is predicted.

    Args:
        found: figures of the atoms of M molecules.
        place: place of the molecule among them.
    """
    present = ~np.isnan(found.mean[place])
    return found.mean[place][present].tolist(), found.deviation[place][present].tolist()


def list_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the CSV's columns: mean and deviation of each column of the forecast, and the remark."""
    names = [f"{_task(column)} {column.ensemble} {statistic}" for column in columns for statistic in _STATISTICS]
    return [*names, REMARK]


def _task(column: Column) -> str:
    return f"{column.target} [{column.unit}]" if column.unit else column.target


def csv_line(cells: Iterable[str]) -> str:
    """Write one row of a CSV."""
    text = io.StringIO()
    # With its own end of lines the writer puts all cells in quotes that have a part of it, such as a lone `\r`.
    csv.writer(text).writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def csv_rows(rows: Iterable[Predicted]) -> str:
    """Write rows as a CSV: all cells as given, then the predictions with all digits, then the remark."""
    lines = []
    for one in rows:
        figures = [_digits(value) for both in one.figures for value in both]
        lines.append(csv_line([*one.row.cells, *figures, one.remark]))
    return "".join(lines)


def _digits(value: float | list[float]) -> str:
    """Write a number with all digits, or the numbers of atoms as a list in brackets, as JSON has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(repr, value))}]" if value and math.isfinite(value[0]) else ""
    return repr(value) if math.isfinite(value) else ""


def page(tally: Tally, columns: Sequence[Column], said: Sequence[str]) -> list[Shape]:
    """Return all predictions, for a file.

    Args:
        tally: tally that shows all rows.
        columns: columns of the forecast.
        said: sentences about what is not known about the models, and about runs that were left out.
    """
    return [
        Heading("Predictions", level=1),
        Points(list(said)),
        _table(tally, columns),
        Remark(_HELP),
        Remark(summarise(tally)),
    ]


def brief(tally: Tally, columns: Sequence[Column], said: Sequence[str], outcome: str = "") -> list[Shape]:
    """Return predictions in short, for a terminal.

    Args:
        tally: tally with the rows to show. If it does not show all rows, those that lack a prediction are listed, too.
        columns: columns of the forecast.
        said: sentences about what is not known about the models, and about runs that were left out.
        outcome: sentence that says where the predictions were written; empty if they are only shown.
    """
    shapes: list[Shape] = []
    if tally.shown:
        shapes += [_table(tally, columns), Remark(_HELP)]
        if len(tally.shown) < tally.rows:
            hidden = tally.rows - len(tally.shown)
            shapes.append(Remark(f"{hidden:,} more rows are not shown: --output FILE.csv writes all."))
    if tally.listed and (not tally.shown or len(tally.shown) < tally.rows):
        rows = [_given(one) | {REMARK: one.remark} for one in tally.listed]
        title = "Rows that lack a prediction" + (f": the first {len(rows)}" if tally.lacking > len(rows) else "")
        shapes.append(Table(rows, title, text=_TEXT, folded={"SMILES", REMARK}))
    return [*shapes, Remark(summarise(tally)), Points(list(said)), *([Remark(outcome)] if outcome else [])]


def summarise(tally: Tally) -> str:
    """Say how many rows there are, how many lack a prediction, and how many have a remark of each kind."""
    left = f", {tally.lacking:,} lack a prediction" if tally.lacking else ""
    told = [
        f"{count:,} {words if count > 1 else _in_singular(words)}"
        for kind, words in KINDS.items()
        if (count := tally.kinds[kind])
    ]
    listed = f" Remarks: {'; '.join(told)}." if told else " None has a remark." if not tally.lacking else ""
    return f"{tally.rows:,} {'row' if tally.rows == 1 else 'rows'}{left}.{listed}"


def _in_singular(words: str) -> str:
    """Turn words about several molecules into words about one molecule."""
    first, _, rest = words.partition(" ")
    return f"{ {'are': 'is', 'have': 'has', 'were': 'was'}.get(first, first) } {rest}".replace(
        "train molecules", "a train molecule"
    )


def _table(tally: Tally, columns: Sequence[Column]) -> Table:
    names = [f"{_task(column)} {column.ensemble}" for column in columns]
    rows = [line for one in tally.shown for line in _lines(one, names)]
    return Table(rows, text=_TEXT, folded={"SMILES", REMARK})


def _lines(one: Predicted, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the line of a molecule, or with a target of atoms a line per atom, with what is of the molecule once."""
    if not any(isinstance(mean, list) for mean, _ in one.figures):
        figures = {name: _at(both, 0) for name, both in zip(names, one.figures, strict=True)}
        yield _given(one) | figures | {REMARK: one.remark}
        return
    for at in range(max(1, len(one.elements))):
        given = {name: text if at == 0 else "" for name, text in _given(one).items()}
        atom = {ATOM: f"{at + 1} {one.elements[at]}" if one.elements else ""}
        figures = {name: _at(both, at) for name, both in zip(names, one.figures, strict=True)}
        yield given | atom | figures | {REMARK: one.remark if at == 0 else ""}


def _at(figures: Figures, at: int) -> str:
    """Format the figures that stand in the line of an atom; those of a molecule stand in that of its first atom."""
    mean, deviation = figures
    if isinstance(mean, list) and isinstance(deviation, list):
        return _figure(mean[at], deviation[at]) if at < len(mean) else ""
    assert isinstance(mean, float) and isinstance(deviation, float)
    return _figure(mean, deviation) if at == 0 else ""


def _given(one: Predicted) -> dict[str, str]:
    line = {"line": str(one.row.line)} if one.row.line else {}
    return {"row": str(one.number), **line, "SMILES": one.row.smiles}


def _figure(mean: float, deviation: float) -> str:
    """Format `mean ± deviation` so that the deviation has two digits; without a deviation the mean has four."""
    if not math.isfinite(mean):
        return ""
    if not 0 < deviation < math.inf:
        return figure(mean, 4)
    notation = Notation(min(decimals_of(deviation, 2), _DECIMALS))
    return f"{notation.write(mean)} ± {notation.write(deviation)}"


def content(tally: Tally, columns: Sequence[Column], said: Sequence[str]) -> dict[str, Any]:
    """Return predictions as names and values for programs, written by `report.json`; arguments as for `page`."""
    return {
        "rows": tally.rows,
        "lacking": tally.lacking,
        "remarks": {kind: count for kind in KINDS if (count := tally.kinds[kind])},
        "notes": list(said),
        "molecules": [
            {
                "row": one.number,
                **({"line": one.row.line} if one.row.line else {}),
                "smiles": one.row.smiles,
                **({"elements": list(one.elements)} if any(column.of_atoms for column in columns) else {}),
                "predictions": [
                    {
                        "target": column.target,
                        "unit": column.unit,
                        "model": column.ensemble,
                        "mean": _finite_or_none(mean),
                        "std": _finite_or_none(deviation),
                        "seeds": column.num_seeds,
                    }
                    for column, (mean, deviation) in zip(columns, one.figures, strict=True)
                ],
                REMARK: one.remark,
            }
            for one in tally.shown
        ],
    }


def _finite_or_none(value: float | list[float]) -> float | list[float] | None:
    if isinstance(value, list):
        return value if value and math.isfinite(value[0]) else None
    return value if math.isfinite(value) else None
