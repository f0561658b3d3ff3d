"""The measurements of probes, in words and tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ibbench.probes import Mean, Probe
from ibbench.probes.subject.foretell import Foretold
from ibbench.probes.subject.measure import Measured, average
from ibbench.report.document import Heading, Points, Remark, Shape, Table, legend
from ibbench.report.foretelling import TEXT, foretold_page, gaps_to_floor, interval_cell, tell_foretold

_FROM_ALL = ["target", "train_size", "model", "variant", "at", "part"]  # columns that identify a row of a table
_LEGEND = "Mean over seeds with its 95 % interval (Student's t; none for one seed). `probes.csv` has every figure."


def page(
    name: str, measured: Measured, probes: dict[str, Probe], foretold: Foretold | None, gaps: pd.DataFrame
) -> list[Shape]:
    """Return all measurements with the meaning of each probe, for a file.

    Args:
        name: the name of the study.
        measured: the measurements.
        probes: the probes that a user asked for, by name.
        foretold: what untrained models foretell; None if nobody asked for it.
        gaps: how far trained models are above their floors, see `ibbench.probes.subject.above_floor`.
    """
    shapes: list[Shape] = [Heading(f"{name}: probes", level=1), *_tell_alike(measured)]
    if foretold is not None:
        shapes += [Heading("Which bias to try first"), *foretold_page(foretold)]
    means = average(measured.table[measured.table["probe"].isin(list(probes))])
    for probe_name, probe in probes.items():
        rows = _rows(means[means["probe"] == probe_name], measured)
        shapes += [Heading(probe_name), Remark(f"{probe.summary[0].upper()}{probe.summary[1:]}.")]
        shapes += [Table(rows, text=TEXT), legend(_LEGEND)] if rows else [Remark("It has nothing to measure here.")]
        shapes += gaps_to_floor(gaps) if probe_name == "floor" else []
    return shapes


def brief(measured: Measured, probes: dict[str, Probe], foretold: Foretold | None, gaps: pd.DataFrame) -> list[Shape]:
    """Return the findings as sentences, for a screen; arguments are those of `page`."""
    if foretold is not None:
        return [*tell_foretold(foretold), *_tell_alike(measured)]
    means = average(measured.table)
    sentences = [
        sentence
        for name, probe in probes.items()
        for sentence in _sentences(probe, means[means["probe"] == name], measured)
    ]
    of_floor = gaps_to_floor(gaps) if "floor" in probes else []
    return [Points(list(dict.fromkeys(sentences))), *of_floor, *_tell_alike(measured)]


def tell_earlier(num_kept: int, num_dropped: int) -> Iterator[str]:
    """Say what became of figures that earlier commands had written, one sentence each.

    Args:
        num_kept: number of figures that are kept beside those measured now.
        num_dropped: number of figures that were measured with other options, and are dropped.
    """
    if num_kept:
        yield f"probes.csv and probes.md keep {num_kept:,} figures of earlier commands, which were not measured now."
    if num_dropped:
        yield (
            f"{num_dropped:,} figures of earlier commands are dropped: the same models were measured then with other "
            "options, data, numbers of molecules, or another version."
        )


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
        figures = {one["quantity"]: Mean(one["mean"], _cell(one), one["num_seeds"]) for _, one in group.iterrows()}
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
    cell = interval_cell(row["mean"], row["low"], row["high"])
    return f"{cell} {row['unit']}".strip()


def _tell_alike(measured: Measured) -> Sequence[Shape]:
    return [
        Remark(
            f"{' and '.join(group)} are one function as initialised: what tells them apart starts at 0 or is in how "
            "they are trained, and the kernel sees it through its gradients alone."
        )
        for group in measured.alike
    ]
