"""Two sides, aligned row by row: how much each error has changed, and whether that is more than noise."""

import math
from typing import Any, Literal, NamedTuple

import pandas as pd

from ibbench.compare.align import align
from ibbench.compare.changes import changes, moved
from ibbench.compare.side import Place, Side, SideRow
from ibbench.compare.statistics import Comparison, compare, compare_summaries
from ibbench.compare.study import model_order, target_order
from ibbench.compare.verdict import ONE_SEED, Verdict, holm, judge
from ibbench.errors import InputError

COLUMNS = [
    "target", "unit", "train_size", "model", "variant", "old", "new", "delta", "delta_low", "delta_high", "percent",
    "p_holm", "verdict", "basis", "hydrogens", "source", "split",
]  # fmt: skip
FailOn = Literal["regression", "change", "never"]


class DiffRow(NamedTuple):
    """One row of both sides, or of the one that has it.

    Attributes:
        old: of side A.
        new: of side B.
        verdict: of the new error: better, worse, identical, not distinguishable; with one seed lower, higher, within
            tolerance; or not comparable, only in A, only in B.
        basis: what the verdict rests on: predictions, seeds, deviations or tolerance; empty where there is none.
        interval: of new minus old, at 95 %; None where it is unknown.
        p_holm: corrected over the targets of the same model; None without a test.
    """

    old: SideRow | None
    new: SideRow | None
    verdict: Verdict
    basis: str = ""
    interval: tuple[float, float] | None = None
    p_holm: float | None = None

    @property
    def place(self) -> Place:
        """What the row is about, as B has it."""
        row = self.new or self.old
        assert row is not None
        return row.place


class Diff(NamedTuple):
    """Two sides compared.

    Attributes:
        names: of A and B.
        rows: in the order of targets and sizes.
        changes: of splits, options, versions and devices, a sentence each.
    """

    names: tuple[str, str]
    rows: list[DiffRow]
    changes: list[str]

    def fails(self, fail_on: FailOn) -> bool:
        """Whether this is what `--fail-on` looks for."""
        words = {row.verdict.word for row in self.rows}
        if fail_on == "regression":
            return not words.isdisjoint({"worse", "higher"})
        return fail_on == "change" and not words <= _UNCHANGED

    @property
    def compared(self) -> bool:
        """Whether any row could be compared."""
        return any(row.basis for row in self.rows)


_UNCHANGED = {"identical", "not distinguishable", "within tolerance"}


def diff(old: Side, new: Side, tolerance: float) -> Diff:
    """Compare side B with side A.

    Args:
        old: side A.
        new: side B.
        tolerance: relative change of the MAE that counts as none, where there is nothing to test with.

    Raises:
        InputError: a row has another unit on the other side, or the sides have no row in common.
    """
    both, only_old, only_new = align(old.rows, new.rows)
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
    rows = _judge(both, tolerance)
    rows += [DiffRow(row, None, Verdict("only in A")) for row in only_old]
    rows += [DiffRow(None, row, Verdict("only in B")) for row in only_new]
    return Diff((old.name, new.name), sorted(rows, key=_order), list(changes(old, new, both)))


def _name(place: Place) -> str:
    return " ".join(filter(None, [place.model, place.variant, place.target, f"at {place.train_size:,}"]))


def _order(row: DiffRow) -> tuple[Any, ...]:
    place = row.place
    return (*target_order(place.target), place.unit, place.train_size, *model_order(place.model), place.variant)


def _judge(both: list[tuple[SideRow, SideRow]], tolerance: float) -> list[DiffRow]:
    """Test each aligned pair with the best that both sides offer, corrected over the targets of its model."""
    tests = [_test(before, after) for before, after in both]
    families: dict[Any, list[int]] = {}
    for row, (_, after) in enumerate(both):
        if tests[row].p_value is not None:
            families.setdefault(after.place._replace(target="", unit=""), []).append(row)
    for members in families.values():
        corrected = holm([p_value for row in members if (p_value := tests[row].p_value) is not None])
        for row, p_holm in zip(members, corrected, strict=True):
            tests[row] = tests[row]._replace(p_holm=p_holm, num_tests=len(members))
    return [
        DiffRow(before, after, _verdict(before, after, test, tolerance), test.basis, test.interval(), test.p_holm)
        for (before, after), test in zip(both, tests, strict=True)
    ]


class _Test(NamedTuple):
    basis: str
    comparison: Comparison | None
    p_holm: float | None = None
    num_tests: int = 1

    @property
    def p_value(self) -> float | None:
        return self.comparison.difference.p_value() if self.comparison else None

    def interval(self) -> tuple[float, float] | None:
        return self.comparison.difference.interval() if self.comparison else None


def _test(before: SideRow, after: SideRow) -> _Test:
    """Compare with the best that both sides offer."""
    if moved(before, after):
        return _Test("", None)
    if before.sample and after.sample:
        comparison = compare(after.sample, before.sample)
        tested = comparison.identical or comparison.difference.seed_variance is not None
        return _Test(comparison.basis if tested or comparison.difference.interval() else "tolerance", comparison)
    if before.mae_std is None or after.mae_std is None:
        return _Test("tolerance", None)
    new, old = ((side.mae, side.mae_std, side.num_seeds) for side in (after, before) if side.mae_std is not None)
    return _Test("deviations", None if _same_digits(before, after) else compare_summaries(new, old))


def _verdict(before: SideRow, after: SideRow, test: _Test, tolerance: float) -> Verdict:
    changed = moved(before, after)
    if changed:
        return Verdict("not comparable", ", ".join(changed))
    if _same_digits(before, after):
        return Verdict("identical", "to four digits")
    if test.comparison and (test.comparison.identical or test.p_holm is not None):
        return judge(test.comparison, test.p_holm, test.num_tests)
    # One seed on a side: no test is possible, and the tolerance draws the line.
    judged = judge(test.comparison, None) if test.comparison else None
    if judged and judged.tied:
        return judged
    if abs(after.mae - before.mae) <= tolerance * before.mae:
        return Verdict("within tolerance", f"{tolerance:.2%}; {ONE_SEED}")
    return Verdict("lower" if after.mae < before.mae else "higher", f"by more than {tolerance:.2%}; {ONE_SEED}")


def _same_digits(before: SideRow, after: SideRow) -> bool:
    """Whether two rows, one of them from a table, are the same as far as a table tells."""
    digits = [(f"{row.mae:.4g}", row.mae_std and f"{row.mae_std:.4g}", row.num_seeds) for row in (before, after)]
    return digits[0] == digits[1] and (before.rounded or after.rounded)


def diff_table(compared: Diff) -> pd.DataFrame:
    """Return a row a row, with `COLUMNS`; `old`, `new` and `delta` are MAE in `unit`, `percent` is of `old`."""
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
    return pd.DataFrame(rows, columns=COLUMNS)
