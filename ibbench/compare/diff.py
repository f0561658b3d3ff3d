"""Two results compared row by row: how much each error has changed, and whether that is more than noise."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ibbench.baselines.pairs import is_pair
from ibbench.compare.align import align_rows
from ibbench.compare.cautions import cautions, cautions_of_basis
from ibbench.compare.changes import changes, moved
from ibbench.compare.columns import interval, shared
from ibbench.compare.missing import MissingRun
from ibbench.compare.moderation import estimate_prior, moderate, variance_of_seed
from ibbench.compare.order import model_order, target_order, variant_order
from ibbench.compare.side import Place, Side, SideRow
from ibbench.compare.statistics import Comparison, compare, compare_summaries
from ibbench.compare.verdict import ONE_SEED, RELEVANCE, Verdict, holm, judge
from ibbench.errors import InputError
from ibbench.options.words import FailOn

COLUMNS = {
    **shared("target", "unit", "train_size", "model", "variant"),
    "old": "MAE on side A",
    "new": "MAE on side B",
    **interval("delta", "`new` minus `old`"),
    "percent": "`delta` in per cent of `old`",
    **shared("p_holm"),
    "verdict": "verdict on the new error",
    "basis": "what the verdict rests on: `predictions`, `variances`, `seeds`, `deviations` or `tolerance`",
    **shared("hydrogens", "source", "split"),
}


class DiffRow(NamedTuple):
    """One line of a diff: a row that both sides have, or that only one side has.

    Attributes:
        old: row of side A; None if only B has it.
        new: row of side B; None if only A has it.
        verdict: verdict on the new error: better, worse, identical, not distinguishable; with one seed lower, higher,
            within tolerance; or not comparable, only in A, only in B.
        basis: data that the verdict rests on: predictions, variances, seeds, deviations or tolerance (see
            `statistics.Comparison`); empty where there is no verdict.
        interval: 95 % interval of the new MAE minus the old one, in the target's unit; None where it is unknown.
        p_holm: p-value, corrected over all rows that are tested; None without a test.
        worst: largest ratio of new to old MAE that cannot be excluded (the upper end of its 95 % interval); None
            where no interval is known.
    """

    old: SideRow | None
    new: SideRow | None
    verdict: Verdict
    basis: str = ""
    interval: tuple[float, float] | None = None
    p_holm: float | None = None
    worst: float | None = None

    @property
    def side(self) -> SideRow:
        """The row of B, or of A if B has none."""
        row = self.new or self.old
        assert row is not None
        return row

    @property
    def place(self) -> Place:
        """What the row is about: model, target and so on, as side B has them (or A if B lacks the row)."""
        return self.side.place


class Diff(NamedTuple):
    """Two sides compared.

    Attributes:
        names: names of A and B, as the user gave them.
        rows: rows in the order of targets, train sizes and models.
        changes: one sentence for each change of a split, seeds, an option, a version or a device.
        cautions: one sentence for each reason why figures hold for less than a reader may think.
        relevance: relative difference below which it does not matter which error is lower.
        missing: runs that A lacks, and runs that B lacks.
    """

    names: tuple[str, str]
    rows: list[DiffRow]
    changes: list[str]
    cautions: list[str]
    relevance: float
    missing: tuple[tuple[MissingRun, ...], tuple[MissingRun, ...]] = ((), ())

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a table with `COLUMNS`; see `diff_table`."""
        return diff_table(self)

    @property
    def regressions(self) -> pd.DataFrame:
        """The rows of the table in which B is worse by a relevant amount; with one seed, by more than the tolerance."""
        return self.table[[self._is_worse(row) for row in self.rows]]

    def fails(self, fail_on: FailOn) -> bool:
        """Whether the diff has what `--fail-on` looks for.

        `regression`: an error has become worse by a relevant amount. `unproven`: an error has become worse, or it
        cannot be excluded that one has, also because B lacks runs. `change`: any difference.
        """
        if fail_on == FailOn.REGRESSION:
            return any(map(self._is_worse, self.rows))
        if fail_on == FailOn.UNPROVEN:
            return bool(self.missing[1]) or any(self._is_worse(row) or self._may_be_worse(row) for row in self.rows)
        return fail_on == FailOn.CHANGE and not {row.verdict.word for row in self.rows} <= _UNCHANGED

    def _is_worse(self, row: DiffRow) -> bool:
        return row.verdict.word == "higher" or (row.verdict.word == "worse" and not row.verdict.note)

    def _may_be_worse(self, row: DiffRow) -> bool:
        if not row.basis or row.verdict.word == "identical":
            return False
        return row.worst is None or row.worst > 1 + self.relevance

    @property
    def compared(self) -> bool:
        """Whether any row could be compared."""
        return any(row.basis for row in self.rows)


_UNCHANGED = {"identical", "equal", "not distinguishable", "within tolerance"}


def diff(old: Side, new: Side, tolerance: float, relevance: float = RELEVANCE) -> Diff:
    """Compare side B with side A.

    Args:
        old: side A.
        new: side B.
        tolerance: relative change of the MAE up to which an error counts as unchanged; used only where no test is
            possible, such as with one seed.
        relevance: relative difference below which it does not matter which error is lower.

    Raises:
        InputError: a row has another unit on the other side, or the sides have no row in common.
    """
    both, only_old, only_new = align_rows(old.rows, new.rows)
    if not both:
        raise InputError(
            f"{old.name} and {new.name} have no row in common (the same target, train size, model and variant)"
        )
    for before, after in both:
        units = before.place.unit or "no unit", after.place.unit or "no unit"
        if units[0] != units[1]:
            raise InputError(
                f"{_name(after.place)} is in {units[0]} in {old.name} and in {units[1]} in {new.name}: "
                "MAE in different units cannot be compared"
            )
    rows = _judge(both, tolerance, relevance)
    rows += [DiffRow(row, None, Verdict("only in A")) for row in only_old]
    rows += [DiffRow(None, row, Verdict("only in B")) for row in only_new]
    return Diff(
        (old.name, new.name),
        sorted(rows, key=_order),
        list(changes(old, new, both)),
        list(_cautions(rows)),
        relevance,
        (old.missing, new.missing),
    )


def _cautions(rows: list[DiffRow]) -> Iterator[str]:
    compared = [row for row in rows if row.basis]
    yield from cautions(side.basis for row in compared for side in (row.old, row.new) if side)
    judged = [row for row in compared if row.verdict.word != "identical"]
    yield from cautions_of_basis((row.basis, row.place.model) for row in judged)


def _name(place: Place) -> str:
    return " ".join(filter(None, [place.model, place.variant, place.target, f"at {place.train_size:,}"]))


def _order(row: DiffRow) -> tuple[Any, ...]:
    place = row.place
    return (
        *target_order(place.target),
        place.unit,
        place.train_size,
        *model_order(place.model),
        *variant_order(place.variant),
    )


def _judge(both: list[tuple[SideRow, SideRow]], tolerance: float, relevance: float) -> list[DiffRow]:
    """Test each matched pair of rows, and correct the p-values for the number of tests.

    A pair is compared by the most detailed data that both sides have. Variances over seeds are moderated before.
    """
    tests = _moderated([_test(before, after) for before, after in both])
    p_values = [test.p_value for test in tests]
    tested = [p_value for p_value in p_values if p_value is not None]
    corrected = iter(holm(tested))
    tests = [
        test if p_value is None else test._replace(p_holm=next(corrected), num_tests=len(tested))
        for test, p_value in zip(tests, p_values, strict=True)
    ]
    return [
        DiffRow(
            before,
            after,
            _verdict(before, after, test, tolerance, relevance),
            test.basis,
            test.interval(),
            test.p_holm,
            test.worst(before.mae),
        )
        for (before, after), test in zip(both, tests, strict=True)
    ]


def _moderated(tests: list["_Test"]) -> list["_Test"]:
    """Moderate the variances over seeds of the rows (see `moderation`).

    No two comparisons of a diff share a row, so all of them count as independent.
    """
    paired = [
        test.comparison
        for test in tests
        if test.comparison and test.comparison.log_ratio and test.comparison.wins is not None and test.borrows
    ]
    if not paired:
        return tests
    variances = np.array([variance_of_seed(comparison) for comparison in paired])
    degrees = np.array([comparison.difference.degrees for comparison in paired])
    prior = estimate_prior(variances, degrees, len(paired), float(degrees.sum()))
    return [
        test._replace(comparison=moderate(test.comparison, prior)) if test.comparison and test.borrows else test
        for test in tests
    ]


class _Test(NamedTuple):
    """How two rows were compared; without a comparison where there is nothing to test."""

    basis: str
    comparison: Comparison | None
    p_holm: float | None = None
    num_tests: int = 1
    borrows: bool = False  # whether its row is one of a trained model

    @property
    def p_value(self) -> float | None:
        return self.comparison.difference.p_value() if self.comparison else None

    def interval(self) -> tuple[float, float] | None:
        return self.comparison.difference.interval() if self.comparison else None

    def worst(self, before: float) -> float | None:
        """Return the largest ratio of new to old error that the 95 % interval holds; with one seed none is known."""
        interval = self.interval()
        if self.comparison is None or self.p_value is None or interval is None or not before > 0:
            return 1.0 if self.comparison and self.comparison.identical else None
        ratio = self.comparison.ratio()
        return ratio[2] if ratio else 1 + interval[1] / before


def _test(before: SideRow, after: SideRow) -> _Test:
    """Compare two rows by the most detailed data that both sides have."""
    if moved(before, after):
        return _Test("", None)
    if before.sample and after.sample:
        comparison = compare(after.sample, before.sample)
        tested = comparison.identical or comparison.difference.seed_variance is not None
        basis = comparison.basis if tested or comparison.difference.interval() else "tolerance"
        return _Test(basis, comparison, borrows=not after.is_baseline or is_pair(after.place.model))
    if before.mae_std is None or after.mae_std is None:
        return _Test("tolerance", None)
    new, old = ((side.mae, side.mae_std, side.num_seeds) for side in (after, before) if side.mae_std is not None)
    return _Test("deviations", None if _same_digits(before, after) else compare_summaries(new, old))


def _verdict(before: SideRow, after: SideRow, test: _Test, tolerance: float, relevance: float) -> Verdict:
    changed = moved(before, after)
    if changed:
        return Verdict("not comparable", ", ".join(changed))
    if _same_digits(before, after):
        return Verdict("identical", "to four digits")
    if test.comparison and (test.comparison.identical or test.p_holm is not None):
        return judge(test.comparison, test.p_holm, test.num_tests, relevance)
    # One side has a single seed: no test is possible, so the tolerance decides.
    judged = judge(test.comparison, None) if test.comparison else None
    if judged and judged.tied:
        return judged
    if abs(after.mae - before.mae) <= tolerance * before.mae:
        return Verdict("within tolerance", f"{tolerance:.2%}; {ONE_SEED}")
    return Verdict("lower" if after.mae < before.mae else "higher", f"by more than {tolerance:.2%}; {ONE_SEED}")


def _same_digits(before: SideRow, after: SideRow) -> bool:
    """Whether two rows agree in all digits of a rounded table, and one of them comes from such a table."""
    digits = [(f"{row.mae:.4g}", row.mae_std and f"{row.mae_std:.4g}", row.num_seeds) for row in (before, after)]
    return digits[0] == digits[1] and (before.rounded or after.rounded)


def diff_table(compared: Diff) -> pd.DataFrame:
    """Return a table with one row per row of the diff.

    `old` and `new` are MAEs in `unit`, `delta` is their difference in `unit`, `percent` the same difference in percent
    of `old`.
    """
    rows = []
    for row in compared.rows:
        old, new = (side.mae if side else math.nan for side in (row.old, row.new))
        low, high = row.interval or (math.nan, math.nan)
        place = row.place
        rows.append(
            {
                "target": place.target,
                "unit": place.unit,
                "train_size": place.train_size,
                "model": place.model,
                "variant": place.variant,
                "old": old,
                "new": new,
                "delta": new - old,
                "delta_low": low,
                "delta_high": high,
                "percent": 100 * (new / old - 1) if old else math.nan,
                "p_holm": row.p_holm,
                "verdict": str(row.verdict),
                "basis": row.basis,
                "hydrogens": place.hydrogens,
                "source": place.source,
                "split": place.split,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
