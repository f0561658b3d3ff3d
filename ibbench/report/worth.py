"""What the assumptions of the models of a study are worth, in words and tables."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from ibbench.compare.cautions import cautions
from ibbench.compare.comparison import differing
from ibbench.compare.estimate import ALPHA
from ibbench.compare.rows import Section, in_full
from ibbench.compare.verdict import ONE_SEED
from ibbench.report.cells import without_interval
from ibbench.report.claims import CLAIMS_LEGEND, claim_sentences, claims_table
from ibbench.report.document import Heading, Points, Remark, Shape, Table, legend
from ibbench.report.generality import generality_sentences, generality_tables
from ibbench.report.lengths import tell_lengths
from ibbench.report.missing import tell_missing, tell_seeds, tell_sizes
from ibbench.report.soundness import tell_faults
from ibbench.report.worth_tables import (
    NOUN,
    amount,
    bits_rows,
    dimensions,
    factor,
    form_rows,
    intrinsic_rows,
    ladder_rows,
    law_rows,
    multiplier_rows,
)
from ibbench.worth.curves import AXES, Curve, comparable, neighbours
from ibbench.worth.power_law import MIN_SIZES
from ibbench.worth.worth import Worth

_MOST_PAIRS = 20  # longer tables are left to multipliers.csv
_POOR = 0.05  # a law with a larger relative residual does not fit its curve
_TEXT = {*Section._fields, "target", "A", "B", "model", "unit", "rung", "assumes in addition", "after", "verdict"}
_LONG = ("assumes in addition", "p", "largest residual", "unit", "labels", "held out")  # left out on a narrow screen

_TABLES: dict[str, tuple[str, Callable[[Worth], list[dict[str, str]]]]] = {  # title and rows
    "ladder": ("The ladder", ladder_rows),
    "intrinsic": ("Dimensions that training needs", intrinsic_rows),
    "factors": ("What A saves against B", multiplier_rows),
    "bits": ("Bits a label", bits_rows),
    "laws": ("Laws", law_rows),
    "forms": ("Which law?", form_rows),
}
_LEGENDS = {
    "ladder": (
        "Each rung differs in one thing from the rung named under `after`; gain is by how much the MAE falls, with its "
        "95 % interval; verdict by the paired test of the table, p corrected over all steps; labels x: the factor of "
        "labels that the rung before needs to reach this one's error."
    ),
    "intrinsic": (
        "Dimensions of a random subspace (`trainer.subspace`) in which training gets 90 % of the way from the MAE of "
        "the mean of the train labels to the MAE of the training of all weights, for each seed by itself; geometric "
        "mean and 95 % interval over seeds. Where a training around that place has not converged (†), longer ones may "
        "need other dimensions."
    ),
    "factors": (
        "The factor of {noun} that B needs to reach the error of A at the size above (or given), between sizes by "
        "interpolation in log-log, with its 95 % interval over seeds and test molecules; beyond the sizes that were "
        "trained only a bound is known. A is the model with the lower error at its largest size. A sentence calls two "
        "models not distinguishable where the table of the study does, corrected over all of its pairs."
    ),
    "bits": (
        "Prequential code length: the labels between two sizes are coded by the model trained on the smaller one, with "
        "Laplace-distributed errors; A saves log2(MAE B / MAE A) bits on each. Half the error is one bit a label."
    ),
    "laws": "MAE = a N^-b + c, N in {axis}, fitted to the logarithm of the MAE, with 95 % intervals.",
    "forms": (
        "Each law was fitted without the largest size, and is told by how much it misses what was measured there: "
        "a N^-b + c, a N^-b, and a exp(-b N) + c. Best: the smallest miss. Further out each of them may miss by more."
    ),
}


def page(worth: Worth) -> list[Shape]:
    """Return all that is computed from the curves of a study, for a file: sentences, tables and remarks."""
    command = f"ibbench worth results/{worth.study}" + ("" if worth.by == "labels" else f" --by {worth.by}")
    shapes: list[Shape] = [
        Heading(f"What assumptions are worth: {worth.study}", level=1),
        Remark(f"Written by `{command}`."),
        *map(Remark, tell_missing(worth.source, whole_path=False)),
        Points(tell_claims(worth)),
    ]
    return [*shapes, *tables(worth), Points(list(remarks(worth)))]


def tell_claims(worth: Worth) -> list[str]:
    """Say what assumptions are worth, and under which recipes that holds; of several data sets, on how many of them.

    What is worth what on each of these is in their table, where steps alone are tested.
    """
    if worth.generality:
        return [*generality_sentences(worth.generality), *_intrinsic_sentences(worth)]
    return [*sentences(worth), *claim_sentences(worth.claims), *_intrinsic_sentences(worth)]


def tables(worth: Worth, most_pairs: int = _MOST_PAIRS) -> list[Shape]:
    """Return the tables, each with how to read it; more factors than `most_pairs` are left to the CSV."""
    shapes: list[Shape] = [*generality_tables(worth.generality)] if worth.generality else []
    if worth.claims:
        shapes += [Table(claims_table(worth.claims), "Claims under other recipes"), legend(CLAIMS_LEGEND)]
    for name, title, rows in _tables(worth):
        if name == "factors" and len(rows) > most_pairs:
            shapes += [Heading(title), Remark(f"{len(rows)} pairs were compared: see multipliers.csv.")]
        else:
            explained = _LEGENDS[name].format(noun=NOUN[worth.by], axis=AXES[worth.by])
            shapes += [Table(rows, title), legend(explained)]
    return shapes


def brief(worth: Worth) -> list[Shape]:
    """Return sentences, short tables and remarks, for a screen."""
    return [
        *map(Remark, tell_missing(worth.source)),
        Points(tell_claims(worth)),
        *(generality_tables(worth.generality) if worth.generality else ()),
        *(
            _brief_table(title, rows)
            for name, title, rows in _tables(worth)
            if not (name == "factors" and _too_many_pairs(worth)) and not (worth.generality and name != "ladder")
        ),
        Points(list(remarks(worth))),
    ]


def _tables(worth: Worth) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Return name, title and rows of each table that is not empty."""
    made = [(name, title, make(worth)) for name, (title, make) in _TABLES.items()]
    return [table for table in made if table[2]]


def _brief_table(title: str, rows: list[dict[str, str]]) -> Table:
    """Return a table with a narrow version for small screens, which has no intervals and fewer columns."""
    sizes = [name for name in reversed(rows[0]) if name.replace(",", "").isdecimal()]
    same = ["target"] if len({row["target"] for row in rows}) == 1 else []
    table = Table(rows, title, text=_TEXT, optional=(*same, *sizes, "after", "verdict"))
    narrow = [{name: _shortened(cell) for name, cell in row.items() if name not in _LONG} for row in rows]
    return table._replace(narrow=table._replace(rows=narrow, title=f"{title} (intervals are in worth.md)"))


def _shortened(cell: str) -> str:
    return without_interval(cell).replace("more than ", "> ").replace("less than ", "< ")


def _too_many_pairs(worth: Worth) -> bool:
    """Whether there are too many multipliers to print; they are in multipliers.csv."""
    return len(multiplier_rows(worth)) > _MOST_PAIRS


def sentences(worth: Worth) -> Iterator[str]:
    """Say what the assumptions of each model are worth against the model before it, or of each rung against its own."""
    for curves in comparable(worth.curves):
        for one, other in neighbours(curves):
            row = _row(worth, one, other)
            if row is not None:
                where = ", ".join(f"{field} {row[field]}" for field in differing(worth.sections))
                seeds = min(len(sample.seeds) for curve in (one, other) for sample in curve.samples)
                yield (f"{where}: " if where else "") + _sentence(worth, row, tested=seeds > 1)


def _row(worth: Worth, one: Curve, other: Curve) -> "pd.Series[Any] | None":
    """Choose the multiplier of a pair that a sentence reports: with the better model as A, near the size `worth.at`.

    If nobody asked for that size, a size at which both ends of the interval are known is preferred: "1 to 16 times the
    labels" says more than "more than 4 times".
    """
    names = {one.model, other.model}
    table = worth.multipliers.astype(object)
    of_group = (table["target"] == one.target) & (table["unit"] == one.unit)
    for field, value in one.section._asdict().items():
        of_group &= table[field] == value
    rows = table[of_group & table["a"].isin(names) & table["b"].isin(names)]
    rows = rows[rows["multiplier"] >= 1]
    if rows.empty:
        return None
    bounded = (rows["multiplier_low"] > 0) & (rows["multiplier_high"] < math.inf)
    if bounded.any() and not worth.asked:
        rows = rows[bounded]
    assert worth.at is not None
    reference = worth.at
    nearest = int(rows["at"].map(lambda at: abs(math.log(at / reference))).to_numpy().argmin())
    return rows.iloc[nearest]


def _sentence(worth: Worth, row: "pd.Series[Any]", tested: bool) -> str:
    """Report the multiplier of a pair; without a verdict if the seeds are too few for a test (`tested` is False)."""
    at, noun = amount(row["at"], worth.by), NOUN[worth.by]
    a, b = row["a"], row["b"]
    if not tested:
        return (
            f"{row['target']}: at {at} {noun}, {b} would need {factor(row)} times the {noun} for the error of {a}; "
            f"no verdict ({ONE_SEED})."
        )
    if row["multiplier_low"] <= 1 or row["p_holm"] >= ALPHA:  # NaN where it is unknown
        return f"{row['target']}: at {at} {noun}, {a} and {b} are not distinguishable (factor {factor(row)})."
    if worth.by == "labels":
        return f"{row['target']}: at {at} labels, what {a} assumes is worth {factor(row)} times the labels of {b}."
    return f"{row['target']}: for the error of {a} at {at} {noun}, {b} needs {factor(row)} times the {noun}."


def _intrinsic_sentences(worth: Worth) -> Iterator[str]:
    for row in (pd.Series(one.row(), dtype=object) for one in worth.intrinsic):
        where = ", ".join(f"{field} {row[field]}" for field in differing(worth.sections))
        who = f"{where}{': ' if where else ''}{row['target']}: at {row['train_size']:,} labels, "
        who += in_full(row["model"], row["variant"])
        if math.isnan(row["dimensions"]):
            yield f"{who} is no better than the mean with all its weights: how many it needs cannot be told."
            continue
        yield (
            f"{who} reaches 90 % of its performance in {dimensions(row)} random "
            f"dimensions of its {row['parameters']:,}{' (' + row['caution'] + ')' if row['caution'] else ''}."
        )


def remarks(worth: Worth) -> Iterator[str]:
    """Yield the remarks that a reader of the figures needs, one sentence each."""
    groups = [entry.key.group for entry in worth.source.entries]
    if classes := dict.fromkeys(group.target for group in groups if group.is_class):
        yield (
            f"{', '.join(classes)}: of a class the MAE is the log loss in nats, and the bits that A saves per label "
            "are the difference of the log losses over ln 2."
        )
    for _, row in worth.laws.iterrows():
        which = ", ".join([row["target"], row["model"], *(row[field] for field in differing(worth.sections))])
        if not row["floor_known"]:
            yield f"{which}: these sizes cannot tell the floor c from 0; what the law says beyond them is a guess."
        if row["largest_residual"] > _POOR:
            yield f"{which}: the law misses a size by {row['largest_residual']:.0%}, so it is not that of this curve."
    if worth.by == "seconds":
        yield "Timings vary from run to run, which the intervals do not tell: no law is fitted to them."
    elif worth.curves and worth.laws.empty:
        yield f"No law is fitted: that takes {MIN_SIZES} sizes."
    failed = [one.run for one in worth.missing if one.state == "failed"]
    if failed:
        yield f"Missing, because they failed: {', '.join(failed)}."
    if worth.generality and worth.generality.left_out and worth.at is not None:
        left_out = ", ".join(worth.generality.left_out)
        yield f"Left out, since no model was trained at sizes around {amount(worth.at, worth.by)} labels: {left_out}."
    yield from tell_faults(worth.source.entries)
    yield from cautions(entry.basis for curve in worth.curves for entry in curve.entries)
    samples = [sample for curve in worth.curves for sample in curve.samples]
    if any(len(sample.seeds) == 1 for sample in samples):
        yield "Some points have one seed: their intervals are over test molecules only, and there is no verdict."
    yield from tell_seeds([entry for curve in worth.curves for entry in curve.entries])
    if worth.by == "labels":
        on_curves = [entry for curve in worth.curves for entry in curve.entries]
        yield from tell_sizes(on_curves)
        if length := tell_lengths(on_curves):
            yield length
    if any(sample.errors is None for sample in samples):
        yield "Some predictions.npz are missing: intervals are over seeds alone there."
