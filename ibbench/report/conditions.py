"""What the figures of a comparison hold for, and what not, in sentences below its table."""

from collections.abc import Iterator

from ibbench.compare.cautions import cautions
from ibbench.compare.comparison import Report, differing
from ibbench.data.sources import has_cliffs
from ibbench.record.schema import Record
from ibbench.report.lengths import tell_lengths
from ibbench.report.missing import tell_seeds, tell_sizes
from ibbench.report.soundness import tell_faults


def tell_conditions(report: Report) -> Iterator[str]:
    """Yield what a reader of the tables of a comparison must know, one sentence each."""
    if len(report.sections) > 1:
        fields = " and ".join(differing(report.sections))
        yield f"The sections differ in {fields}: their errors are not of the same task, and are not compared."
    for target, part in report.table.groupby("target", sort=False):
        if part["unit"].nunique() > 1:
            yield f"{target} is in {' and in '.join(part['unit'].unique())}: these are not compared."
    if (report.table["num_seeds"] == 1).any():
        yield (
            "Rows of one seed: how much another seed would change them is unknown. "
            "Their intervals are over test molecules only, and they get no verdict of better or worse."
        )
    yield from tell_cautions(report)
    yield from tell_faults(report.study.entries)
    entries = [entry for entry in report.study.entries if not entry.key.is_baseline]
    yield from tell_seeds(entries, unpaired=": they are compared unpaired, by Welch's degrees of freedom")
    yield from tell_sizes(entries)
    if length := tell_lengths(entries):
        yield length
    if any(entry.sample.errors is None for entry in entries):
        yield "Some predictions.npz are missing: those runs are compared over seeds alone, not over test molecules."
    if any(_trains_on_all(record) for record in report.study.records) and (report.table["num_seeds"] > 1).any():
        yield (
            "With data.train_size=null all seeds train on the same molecules: they redraw initial weights and batch "
            "order, not the data. What other train molecules would change is in none of these deviations."
        )
    known = [entry for entry in report.study.entries if entry.sample.errors is not None]
    if any(entry.cliffs is None and has_cliffs(entry.key.group.section.source) for entry in known):
        yield "Errors on activity cliffs are not told: the package that marks these molecules is not installed."
    for unseen in report.provenance.unseen:
        yield from unseen.sentences()


def _trains_on_all(record: Record) -> bool:
    return record.status == "done" and record.config["data"].get("train_size") is None


def tell_cautions(report: Report) -> Iterator[str]:
    """Yield the reasons why figures hold for less than a reader may think, one sentence each."""
    yield from cautions(entry.basis for entry in report.study.entries)
    constant = [entry.key.model for entry in report.study.entries if entry.sample.is_constant]
    if constant:
        yield (
            f"All seeds of {', '.join(dict.fromkeys(constant))} have the same error, as where all train on the whole "
            "pool: how much another train set would change it is unknown. Their intervals are over test molecules "
            "alone, and against each other they get no p-value."
        )
