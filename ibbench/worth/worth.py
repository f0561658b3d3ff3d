"""All that is computed from the curves of a study: laws, data multipliers, bits, and the rungs of a ladder."""

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ibbench.compare.columns import interval, shared
from ibbench.compare.missing import MissingRun, count_missing
from ibbench.compare.pairs import Pairs, compare_pairs
from ibbench.compare.rows import Entry, Key, Section
from ibbench.compare.soundness import find_faults
from ibbench.compare.study import Study, read_study, refuse_untested
from ibbench.errors import InputError
from ibbench.worth.claims import Claim, find_claims
from ibbench.worth.curves import Curve, Floats, comparable, corrected_p, draw_curves, neighbours, read_curves, rests_on
from ibbench.worth.generality import Generality, find_generality
from ibbench.worth.intrinsic import Intrinsic, find_intrinsic
from ibbench.worth.ladder import ladder_table
from ibbench.worth.power_law import FORMS, Fit, fit_power_law, foretell
from ibbench.worth.saving import MULTIPLIER, bounds_of_multiplier, multiplier, prequential_bits

_BY = "what is saved: `labels`, `seconds` or `parameters`"
MULTIPLIER_COLUMNS = {
    **shared("target", "unit"),
    "by": _BY,
    "at": "the size of A (labels, seconds or parameters) whose error is the goal",
    "a": "model A, whose error at that size is the goal",
    "b": "model B, which is to reach it",
    **interval("multiplier", MULTIPLIER.format(a="A", b="B")),
    **bounds_of_multiplier("B"),
    "p_holm": "p-value of the table that both have the same error at `at`, corrected; empty between trained sizes",
    **shared(*Section._fields),
}
BITS_COLUMNS = {
    **shared("target"),
    "a": "model A",
    "b": "model B",
    "smallest": "the smallest train size that both were trained at",
    "largest": "the largest train size that both were trained at",
    "bits_per_label": "bits that a label between these sizes costs less with A than with B (prequential code length)",
    "bits_low": "lower end of its 95 % interval",
    "bits_high": "upper end of that interval",
    **shared(*Section._fields),
}
FIT_COLUMNS = {
    **shared("target", "unit"),
    "by": _BY,
    **shared("model"),
    **interval("a", "a of the law MAE = a N^-b + c, in the unit of the target"),
    **interval("b", "b of that law, the exponent"),
    **interval("c", "c of that law, the error that more labels do not lower, in the unit of the target"),
    "floor_known": "whether the sizes tell `c` from 0",
    "largest_residual": "the largest of the residuals, without its sign",
    "residuals": "MAE over law minus 1 at each size, in their order",
    "held_out": "the largest size, at which laws that were fitted without it are tried",
    **{f"error_{form}": f"how far the {name} misses the MAE there, as a share of it" for form, name in FORMS.items()},
    "best_law": "the law that misses least",
    **shared(*Section._fields),
}
_USUAL = 1000.0  # labels at which data multipliers are reported, if this size was trained


class Worth(NamedTuple):
    """All that is computed from the curves of a study.

    Attributes:
        study: name of the study.
        by: axis of the curves, one of `curves.AXES`.
        at: size at which sentences and rungs report the multiplier; None without curves.
        asked: whether a user or the config named that size. If not, a sentence may report the multiplier at another
            size where it is better known.
        curves: curves in the order of tables.
        fits: power law of each curve; None where it has too few sizes, or is over seconds.
        multipliers: data multipliers, with `MULTIPLIER_COLUMNS`: all pairs with the model that has the lower error at
            its largest size as A, then all pairs the other way round. `p_holm` is the p-value of the comparison table:
            it tests whether both errors at this size are the same, corrected over all pairs of rows of the study. It is
            missing between sizes that were trained, and along other axes than labels.
        bits: bits per label that A saves against B, with `BITS_COLUMNS`; empty along other axes than labels.
        laws: fitted laws, with `FIT_COLUMNS`.
        ladder: rungs, with `ladder.COLUMNS`; empty if the study is no ladder.
        claims: comparisons that were tried under several recipes.
        generality: what each step is worth on each data set; None if the study has curves of one data set alone.
        intrinsic: models that were trained in subspaces, with the dimensions that they need; none along other axes.
        source: study that all of this was computed from.
    """

    study: str
    by: str
    at: float | None
    asked: bool
    curves: list[Curve]
    fits: list[Fit | None]
    multipliers: pd.DataFrame
    bits: pd.DataFrame
    laws: pd.DataFrame
    ladder: pd.DataFrame
    claims: list[Claim]
    generality: Generality | None
    intrinsic: list[Intrinsic]
    source: Study

    @property
    def missing(self) -> tuple[MissingRun, ...]:
        """The runs that the study lacks."""
        return self.source.missing

    @property
    def sections(self) -> list[Section]:
        """The sections of the curves, claims and rungs; figures of different sections are never compared."""
        found = [curve.section for curve in self.curves]
        found += [trial.section for claim in self.claims for trial in claim.trials]
        found += [one.whole.key.group.section for one in self.intrinsic]
        return list(dict.fromkeys(found or map(Section._make, self.ladder[list(Section._fields)].values.tolist())))


def read_worth(folder: Path | str, by: str = "labels", at: float | None = None) -> Worth:
    """Read a study and compare its curves.

    Args:
        folder: folder of the study.
        by: axis of the curves, one of `curves.AXES`.
        at: size at which to report multipliers; None for the size that the configs name, or a usual one.

    Raises:
        InputError: the study has no records or no curves, or `at` lies outside of all curves.
    """
    study = read_study(folder)
    try:
        return make_worth(study, by, at)
    except InputError as error:
        if not study.missing:
            raise
        raise InputError(f"{error}. {count_missing(study.missing, study.num_runs)}") from None


def make_worth(study: Study, by: str = "labels", at: float | None = None) -> Worth:
    """Compare the curves of a study; see `read_worth`."""
    refuse_untested(study)
    is_ladder = by == "labels" and any(entry.rung for entry in study.entries)
    claims = find_claims(study) if by == "labels" else []
    intrinsic = find_intrinsic(study) if by == "labels" else []
    try:
        curves = read_curves(study, by)
    except InputError:
        # Rungs, recipes and subspaces can be compared at a single train size, too.
        if not is_ladder and not claims and not intrinsic:
            raise
        curves = []
    steps = [pair for group in comparable(curves) for pair in _at_same_sizes(neighbours(group))]
    tested = compare_pairs(study.entries, also=steps) if by == "labels" else {}
    draws = draw_curves(curves)
    if at is None and by == "labels":
        at = _named_by_config(study, curves)
    asked = at is not None
    at = _reference(curves, at) if curves else None
    # Timings vary from run to run, and the intervals do not include that: no law is fitted to them.
    lawful = by != "seconds"
    fits = [fit_power_law(curve, drawn) if lawful else None for curve, drawn in zip(curves, draws, strict=True)]
    pairs = _pairs(curves, draws)
    both = [*pairs, *((b, a, draws_b, draws_a) for a, b, draws_a, draws_b in pairs)]
    faulty = set(find_faults(study.entries))
    multipliers = [
        _multiplier_row(by, pair, size, faulty, tested)
        for pair in both
        for size in _list_sizes(pair[0].sizes, at, asked)
    ]
    common = [_at_common_sizes(pair) for pair in pairs] if by == "labels" else []
    return Worth(
        study.name,
        by,
        at,
        asked,
        curves,
        fits,
        pd.DataFrame(multipliers, columns=list(MULTIPLIER_COLUMNS)),
        pd.DataFrame(
            [_bits_row(pair) for pair in common if len(pair[0].sizes) > 1 and not _codes_with(pair, faulty)],
            columns=list(BITS_COLUMNS),
        ),
        pd.DataFrame(
            [_law_row(by, curve, fit) for curve, fit in zip(curves, fits, strict=True) if fit],
            columns=list(FIT_COLUMNS),
        ),
        ladder_table(study, curves, draws, at) if by == "labels" else pd.DataFrame(),
        claims,
        find_generality(study, curves, at) if by == "labels" else None,
        intrinsic,
        study,
    )


def _named_by_config(study: Study, curves: list[Curve]) -> float | None:
    """Return the train size at which all configs say that worth is reported (`worth_at`), if a curve contains it."""
    named = {record.worth_at for record in study.records}
    size = named.pop() if len(named) == 1 else None
    return float(size) if size and any(curve.sizes[0] <= size <= curve.sizes[-1] for curve in curves) else None


def _reference(curves: list[Curve], at: float | None) -> float:
    """Return the size at which multipliers are reported: the given one, else the usual one, else the middle one."""
    low, high = min(curve.sizes[0] for curve in curves), max(curve.sizes[-1] for curve in curves)
    if at is not None:
        if not low <= at <= high:
            raise InputError(f"--at {at:g} lies outside of what was trained: expected {low:g} to {high:g}")
        return at
    sizes = curves[0].sizes
    return _USUAL if _USUAL in sizes[:-1] else float(sizes[(len(sizes) - 1) // 2])


def _list_sizes(sizes: Floats, at: float | None, asked: bool) -> list[float]:
    """Return all sizes of a curve, and the size that a user asked for if the curve contains it."""
    wanted = [at] if asked and at is not None and sizes[0] <= at <= sizes[-1] else []
    return sorted({*map(float, sizes), *wanted})


def _at_same_sizes(pairs: Iterable[tuple[Curve, Curve]]) -> Iterator[tuple[Entry, Entry]]:
    """Yield the rows of pairs of curves at each size that both were trained at."""
    for one, other in pairs:
        at = dict(zip(other.sizes.tolist(), other.entries, strict=True))
        yield from ((a, at[size]) for size, a in zip(one.sizes.tolist(), one.entries, strict=True) if size in at)


_Pair = tuple[Curve, Curve, Floats, Floats]


def _pairs(curves: list[Curve], draws: list[Floats]) -> list[_Pair]:
    """List all pairs that can be compared; A is the one with the lower error at its largest size."""
    drawn = dict(zip(map(id, curves), draws, strict=True))
    pairs = []
    for group in comparable(curves):
        for one, other in itertools.combinations(group, 2):
            a, b = (one, other) if one.maes[-1] <= other.maes[-1] else (other, one)
            pairs.append((a, b, drawn[id(a)], drawn[id(b)]))
    return pairs


def _at_common_sizes(pair: _Pair) -> _Pair:
    """Keep only the sizes that both curves have: a run of one of them may have failed."""
    a, b, draws_a, draws_b = pair
    in_a, in_b = np.isin(a.sizes, b.sizes), np.isin(b.sizes, a.sizes)
    return _keep_sizes(a, in_a), _keep_sizes(b, in_b), draws_a[:, in_a], draws_b[:, in_b]


def _keep_sizes(curve: Curve, kept: NDArray[np.bool_]) -> Curve:
    entries = tuple(entry for entry, keep in zip(curve.entries, kept, strict=True) if keep)
    return curve._replace(sizes=curve.sizes[kept], entries=entries)


def _multiplier_row(by: str, pair: _Pair, at: float, faulty: set[Key], tested: Pairs) -> dict[str, Any]:
    """Return a row of `multipliers`; its figures are NaN where they would rest on a row that supports no claim."""
    a, b, *_ = pair
    found = multiplier(*pair, at)
    if rests_on(a, at, faulty) or rests_on(b, at * found.value, faulty):
        found = found._replace(value=math.nan, low=math.nan, high=math.nan)
    figures = {f"multiplier_{name}": getattr(found, name) for name in ("low", "high", "least", "most")}
    row = {"target": a.target, "unit": a.unit, "by": by, "at": at, "a": a.model, "b": b.model}
    figures |= {"p_holm": corrected_p(a, b, at, tested)}
    return row | {"multiplier": found.value} | figures | a.section._asdict()


def _bits_row(pair: _Pair) -> dict[str, Any]:
    a, b, *_ = pair
    found = prequential_bits(*pair)
    return {
        "target": a.target,
        "a": a.model,
        "b": b.model,
        "smallest": a.sizes[0],
        "largest": a.sizes[-1],
        "bits_per_label": found.value,
        "bits_low": found.low,
        "bits_high": found.high,
        **a.section._asdict(),
    }


def _codes_with(pair: _Pair, faulty: set[Key]) -> bool:
    """Whether a faulty row encodes some of the labels; the rows of all sizes but the largest encode labels."""
    return any(entry.key in faulty for curve in pair[:2] for entry in curve.entries[:-1])


def _law_row(by: str, curve: Curve, fit: Fit) -> dict[str, Any]:
    row: dict[str, Any] = {"target": curve.target, "unit": curve.unit, "by": by, "model": curve.model}
    for name in ("a", "b", "c"):
        low, high = getattr(fit, f"{name}_interval")
        row |= {name: getattr(fit, name), f"{name}_low": low, f"{name}_high": high}
    foretold = foretell(curve)
    if foretold:
        errors = {f"error_{form}": error for form, error in foretold.errors.items()}
        row |= {"held_out": foretold.size, **errors, "best_law": FORMS[foretold.best]}
    residuals = " ".join(f"{residual:+.4f}" for residual in fit.residuals)  # size by size, MAE / law - 1
    largest = float(np.abs(fit.residuals).max())
    return (
        row
        | {"floor_known": fit.floor_known, "largest_residual": largest, "residuals": residuals}
        | curve.section._asdict()
    )
