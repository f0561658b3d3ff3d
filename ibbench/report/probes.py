"""The measurements of probes, in words and tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ibbench.probes import Mean, Probe
from ibbench.probes.subject.foretell import rank_correlation
from ibbench.probes.subject.measure import Measured, average
from ibbench.report.cells import notation_of, with_interval
from ibbench.report.document import Heading, Points, Remark, Shape, Table, legend

_FROM_ALL = ["target", "train_size", "model", "variant", "at", "part"]  # columns that identify a row of a table
_TEXT = {"target", "model", "weights", "part"}
_LEGEND = "Mean over seeds with its 95 % interval (Student's t; none for one seed). `probes.csv` has every figure."
_RANKS = (
    "Fewer bits per label are better: the untrained kernel finds the labels more likely. It says which model to try "
    "first, and nothing of what features training finds. test MAE: of the same options where they are trained."
)


def page(name: str, measured: Measured, probes: dict[str, Probe], ranked: pd.DataFrame | None) -> list[Shape]:
    """Return all measurements with the meaning of each probe, for a file.

    Args:
        name: the name of the study.
        measured: the measurements.
        probes: the probes that a user asked for, by name.
        ranked: models ranked by their evidence, see `ibbench.probes.subject.foretell`; None if nobody asked for it.
    """
    shapes: list[Shape] = [Heading(f"{name}: probes", level=1), *_tell_alike(measured)]
    if ranked is not None:
        shapes += [Heading("Which bias to try first"), *_rankings(ranked), legend(_RANKS)]
    means = average(measured.table)
    for probe_name, probe in probes.items():
        rows = _rows(means[means["probe"] == probe_name], measured)
        shapes += [Heading(probe_name), Remark(f"{probe.summary[0].upper()}{probe.summary[1:]}.")]
        shapes += [Table(rows, text=_TEXT), legend(_LEGEND)] if rows else [Remark("It has nothing to measure here.")]
    return shapes


def brief(measured: Measured, probes: dict[str, Probe], ranked: pd.DataFrame | None) -> list[Shape]:
    """Return the findings as sentences, for a screen; arguments are those of `page`."""
    if ranked is not None:
        return [*_rankings(ranked), *_tell_alike(measured)]
    means = average(measured.table)
    sentences = [
        sentence
        for name, probe in probes.items()
        for sentence in _sentences(probe, means[means["probe"] == name], measured)
    ]
    return [Points(list(dict.fromkeys(sentences))), *_tell_alike(measured)]


def probe_list(probes: dict[str, Probe]) -> list[Shape]:
    """Return a table of all probes, with what they measure and need."""
    rows = [
        {
            "probe": name,
            "measures": probe.summary,
            "needs": probe.needs,
            "--at": ", ".join(probe.moments) or "any",
            "by default": "yes" if probe.by_default else "--probe",
        }
        for name, probe in probes.items()
    ]
    return [Table(rows, title="Probes", text=set(rows[0]), folded={"measures"})]


def _sentences(probe: Probe, means: pd.DataFrame, measured: Measured) -> Iterator[str]:
    for keys, group in means.groupby(_FROM_ALL, sort=False):
        target, size, _, _, at, part = keys
        row = group.iloc[0]
        where = [str(target), f"{size:,} labels" if at else "", "trained" if at == "trained" else ""]
        who = ", ".join(filter(None, [measured.name(row), *where]))
        figures = {one["quantity"]: Mean(one["mean"], _cell(one)) for _, one in group.iterrows()}
        if sentence := probe.tell(who, str(part), figures):
            yield f"{sentence}."


def _rows(means: pd.DataFrame, measured: Measured) -> list[dict[str, str]]:
    quantities = list(dict.fromkeys(means["quantity"]))
    shown = [column for column in ("target", "at", "part") if means[column].any()]
    rows = []
    for keys, group in means.groupby(_FROM_ALL, sort=False):
        named = dict(zip(_FROM_ALL, keys, strict=True))
        row = {"model": measured.name(group.iloc[0]), "train size": f"{named['train_size']:,}"}
        row |= {"weights" if column == "at" else column: str(named[column]) for column in shown}
        cells = {one["quantity"]: _cell(one) for _, one in group.iterrows()}
        seeds = {"seeds": str(group["num_seeds"].iloc[0])} if means["at"].any() else {}
        rows.append(row | {quantity: cells.get(quantity, "") for quantity in quantities} | seeds)
    return rows


def _cell(row: "pd.Series[Any]") -> str:
    cell = _interval(row["mean"], row["low"], row["high"])
    return f"{cell} {row['unit']}".strip()


def _interval(mean: Any, low: Any, high: Any) -> str:
    if pd.isna(mean):
        return ""
    if float(mean).is_integer() and (pd.isna(low) or low == high):
        return f"{int(mean):,}"
    return with_interval(mean, low, high, notation_of(abs(mean), 3))


def _rankings(ranked: pd.DataFrame) -> Iterator[Shape]:
    trained = bool(ranked["measured"].notna().any())
    for (target, size), group in ranked.groupby(["target", "train_size"], sort=False):
        unit = group["unit"].iloc[0]
        rows = []
        for _, row in group.iterrows():
            cells = {"rank": str(row["rank"]), "model": str(row["name"])}
            cells["bits per label"] = _interval(row["bits"], row["bits_low"], row["bits_high"])
            cells["leave-one-out MAE"] = _interval(row["mae"], row["mae_low"], row["mae_high"])
            if trained:
                cells["test MAE"] = _interval(row["measured"], row["measured_low"], row["measured_high"])
            rows.append(cells | {"seeds": str(row["num_seeds"])})
        title = f"{target} in {unit or 'no unit'}, {size:,} train molecules: which bias to try first"
        yield Table(rows, title=title, text=_TEXT)
        correlation = rank_correlation(group)
        if correlation:
            yield Remark(
                f"Spearman's correlation of bits with the test MAE: {correlation[0]:.2f} over {correlation[1]} models."
            )
    if trained:
        yield Remark(
            "Where the orders differ, training may not have converged (its recipe), or has learned features that the "
            "untrained kernel has not: more steps for the models in question tell the two apart."
        )


def _tell_alike(measured: Measured) -> Sequence[Shape]:
    return [
        Remark(
            f"{' and '.join(group)} are one function as initialised: what tells them apart starts at 0 or is in how "
            "they are trained, and the kernel sees it through its gradients alone."
        )
        for group in measured.alike
    ]
