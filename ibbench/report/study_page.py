"""All of one study as a page to be sent to somebody: what it claims, how sure that is, and with what it was made."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ibbench.compare.comparison import Report, differing
from ibbench.compare.provenance import Provenance
from ibbench.compare.rows import Group, in_full
from ibbench.compare.variants import typed
from ibbench.report.citation import cite
from ibbench.report.comparison import body, tell_failed
from ibbench.report.document import Details, Heading, Listing, Picture, Points, Remark, Shape, Table
from ibbench.report.missing import tell_missing
from ibbench.report.plot.study import Drawn
from ibbench.report.verdicts import tell_rungs, tell_verdicts
from ibbench.report.worth import remarks, tables, tell_claims
from ibbench.worth.worth import Worth

_MOST_PAIRS = 300  # of a page, folded away
_NO_CLAIM = (
    "At one train size and with one recipe a study does not tell how many labels an assumption saves. Its verdicts:"
)


class Told(NamedTuple):
    """What a page of a study tells.

    Attributes:
        report: the study, compared.
        worth: what its curves and ladder tell; None where it has neither.
        drawn: its pictures.
        worst: what is told of the molecules that are predicted worst, by target.
        training: pictures of trainings, or remarks on why there are none.
    """

    report: Report
    worth: Worth | None
    drawn: Drawn
    worst: dict[Group, list[Shape]]
    training: Sequence[Shape]


def page(told: Told) -> list[Shape]:
    """Tell all of a study, for `ibbench.report.html`."""
    report, worth = told.report, told.worth
    return [
        Heading(report.study.name, level=1),
        Remark(_summary(report)),
        *map(Remark, tell_missing(report.study, whole_path=False)),
        *_claims(report, worth),
        *_worth(told),
        *_fit(told),
        *_components(told),
        Heading("Comparison"),
        *_fold_pairs(body(report, _MOST_PAIRS)),
        *_named(told.drawn.cost, "Test error against cost. Filled points on the line: no other model has a lower error "
                "at the same cost or less."),
        Heading("Predictions"),
        *_predictions(told),
        Heading("Training"),
        *told.training,
        Heading("Config"),
        *_config(report.provenance),
        Heading("Provenance"),
        *_provenance(report),
        Heading("How to cite"),
        *_cite(report),
    ]  # fmt: skip


def _summary(report: Report) -> str:
    """Say in a sentence what was compared on what."""
    groups = dict.fromkeys(entry.key.group for entry in report.study.entries)
    models = list(dict.fromkeys(entry.key.model for entry in report.study.entries if not entry.key.is_baseline))
    targets = list(dict.fromkeys(group.target for group in groups))
    sizes = [f"{size:,}" for size in sorted({group.train_size for group in groups})]
    sources = list(dict.fromkeys(group.section.source for group in groups))
    seeds = sorted({len(entry.replicas) for entry in report.study.entries if not entry.key.is_baseline})
    told = f"{' or '.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'}"
    return (
        f"{', '.join(models)} on {', '.join(targets)} of {', '.join(sources)}, "
        f"trained on {', '.join(sizes)} molecules, {told} each."
    )


def _claims(report: Report, worth: Worth | None) -> list[Shape]:
    claims = tell_claims(worth) if worth else []
    if claims:
        assert worth is not None
        return [Heading("Claims"), Points(claims), _note(list(remarks(worth)))]
    if worth and not worth.ladder.empty:
        return [Heading("Claims"), Points(list(tell_rungs(worth))), _note(list(remarks(worth)))]
    return [Heading("Claims"), Remark(_NO_CLAIM), Points(list(tell_verdicts(report)))]


def _note(said: Sequence[str]) -> Details:
    return Details("What must be known to read them", [Points(said)])


def _worth(told: Told) -> list[Shape]:
    if not told.worth:
        return []
    laws = "" if told.worth.laws.empty else ", and the fitted laws"
    curves = f"Learning curves: test error against train molecules, with 95 % intervals{laws}."
    ladder = "The ladder: the bar of a rung starts at the error of the rung that it differs from in one assumption."
    shapes: list[Shape] = [Heading("What assumptions are worth")]
    for drawn in told.drawn.worth:
        shapes += _named([drawn], ladder if _is(drawn, "ladder") else curves)
    return [*shapes, *tables(told.worth, _MOST_PAIRS)]


def _fit(told: Told) -> list[Shape]:
    caption = (
        "Test error (solid) and train error (dashed) along what the study sweeps: means over seeds, and each seed."
    )
    return [Heading("Train and test error"), *_named(told.drawn.fit, caption)] if told.drawn.fit else []


def _components(told: Told) -> list[Shape]:
    caption = (
        "Test error against the number of principal components that a regression is given: means over seeds, and each "
        "seed. Dashed: the same regression on all numbers of the summary."
    )
    drawn = told.drawn.components
    return [Heading("Principal components"), *_named(drawn, caption)] if drawn else []


def _named(drawn: Sequence[Picture | Remark], caption: str) -> Iterator[Picture | Remark]:
    """Give pictures a caption."""
    for shape in drawn:
        yield shape._replace(caption=caption) if isinstance(shape, Picture) else shape


def _is(shape: Shape, kind: str) -> bool:
    """Whether a shape is a picture of this kind, as the beginning of its name says."""
    return isinstance(shape, Picture) and shape.name.startswith(kind)


def _fold_pairs(shapes: Sequence[Shape]) -> Iterator[Shape]:
    """Fold the table of pairs away: it is the longest, and the table before it has the verdicts."""
    for shape in shapes:
        if isinstance(shape, Table) and shape.title == "Pairs":
            yield Details(f"Pairs: {len(shape.rows)} comparisons", [shape])
        else:
            yield shape


def _predictions(told: Told) -> Iterator[Shape]:
    fields = differing(told.report.sections)
    for group, drawn in told.drawn.parity.items():
        where = "".join(f", {field} {getattr(group.section, field)}" for field in fields)
        caption = (
            f"{group.target}{where}, {group.train_size:,} train molecules: predicted against true values of the test "
            "molecules, by the first seed of each model; darker where more of them lie."
        )
        if group.is_class:
            caption = (
                f"{group.target}{where}, {group.train_size:,} train molecules: which share of class 1 has a "
                "probability above a threshold, against the share of class 0 that has so, too; one line per seed."
            )
        yield Heading(f"{group.target}{where}", level=3)
        yield from _named(drawn, caption)
        sure = (
            f"{group.target}: what the deviation between seeds states of the error of their mean, and what it is, for "
            "tenths of the test molecules. Points above the dashed line err more than is stated."
        )
        if group.is_class:
            sure = (
                f"{group.target}: the share of class 1 against its stated probability, for tenths of the test "
                "molecules of each seed. On the dashed line both are equal; bars: where shares lie if it is right."
            )
        yield from _named(told.drawn.reliability[group], sure)
        yield from told.worst.get(group, [])


def _config(made: Provenance) -> list[Shape]:
    shared = "".join(f"{key}={typed(value)}\n" for key, value in made.options.items())
    own = [
        {
            "model": in_full(row.model, row.variant),
            "train size": f"{row.train_size:,}",
            "options": " ".join(f"{key}={typed(value)}" for key, value in row.options.items()),
        }
        for row in made.rows
    ]
    own = [row for row in own if row["options"]]
    shapes: list[Shape] = [Remark("What all runs share, as it is typed:"), Listing(shared)]
    text = {"model", "options"}
    return [*shapes, *([Details("What differs between them", [Table(own, text=text)])] if own else [])]


def _provenance(report: Report) -> list[Shape]:
    made = report.provenance
    times = sorted(record.made.at for record in report.study.records if record.made)
    rows = {
        "trained": " to ".join(dict.fromkeys([times[0][:10], times[-1][:10]])) if times else "",
        "commit": ", ".join(_revisions(report)),
        "split": ", ".join(dict.fromkeys(f"{one.split} of {one.source}" for one in report.sections)),
        "hydrogens": ", ".join(dict.fromkeys(one.hydrogens for one in report.sections)),
        "data": "; ".join(_tell_data(made)),
        "device": ", ".join(made.devices),
        **{package: " or ".join(known) for package, known in made.versions.items()},
        "runs": str(report.study.num_runs),
    }
    listed = [{"what": name, "value": value or "not recorded"} for name, value in rows.items()]
    return [Table(listed, text={"what", "value"}), *map(Remark, tell_failed(report))]


def _tell_data(made: Provenance) -> Iterator[str]:
    for source, counts in made.data.items():
        yield (
            f"{source}: {counts.molecules:,} molecules ({counts.rejected:,} rows rejected, {counts.repeats:,} repeats, "
            f"{counts.contradicting:,} of them contradicting)"
        )


def _revisions(report: Report) -> list[str]:
    known: list[Any] = [record.made.revision for record in report.study.records if record.made]
    return list(dict.fromkeys(filter(None, known)))


def _cite(report: Report) -> list[Shape]:
    versions = list(report.provenance.versions.get("ibbench", ()))
    sources = dict.fromkeys(section.source for section in report.sections)
    return cite(report.study.name, versions, [one.removesuffix("+") for one in _revisions(report)], sources)
