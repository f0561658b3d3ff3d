"""The mean over the seeds of each row, in words: its error, and whether the deviation between seeds foretells it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ibbench.compare.calibration import LEVEL, NUM_BINS, Calibration, interval_factor
from ibbench.report.cells import FAULTY, Notation, about, notation_of, with_interval, with_spread
from ibbench.report.document import Heading, Remark, Shape, Table, legend

_MOST_ROWS = 60  # longer tables are left to table.csv
_MOST_SHARES = 12  # shares that a sentence lists one by one
_TITLE = "Ensembles"
_LEGEND = (
    "MAE of the mean: of the mean over seeds, with its 95 % interval over seeds and test molecules. It takes as many "
    "trainings as there are seeds, so it is compared with no row, and no verdict or p-value counts it. In the 90 % "
    "interval: the share of test molecules whose true value lies within {factors} of the mean; that is by Student's t, "
    "as if the true value were one more seed, and 90 % would be right. ENCE: expected normalised calibration error "
    "(Levi et al. 2019), |RMV - RMSE| / RMV on average over {bins} bins of test molecules by rising deviation, where "
    "RMV is the root of the mean variance that the seeds state for the error of their mean. ENCE if right: what as "
    "many seeds would have if the true value were one more of them; it is not 0, as a deviation of few seeds is itself "
    "inexact. An ENCE far above it says that seeds agree on what is wrong."
)


def ensembles(table: pd.DataFrame, fields: Sequence[str] = ()) -> list[Shape]:
    """Return the table about the mean over seeds of each row with several seeds, for the end of a page.

    Args:
        table: table of `compare.table.build_table`.
        fields: columns that come first, since the sections of the study differ in them.

    Returns:
        A table and its legend; nothing where no row has several seeds whose predictions are kept.
    """
    known = table[table["ensemble_rmse"].notna()]  # not of classes
    if known.empty:
        return []
    if len(known) > _MOST_ROWS:
        return [Heading(_TITLE), Remark(f"The means over seeds of {len(known)} rows were measured: see table.csv.")]
    columns = [*fields, "target", "train_size", "model", *(["variant"] if known["variant"].any() else [])]
    rows = [about(row, columns) | _figures(row) for row in known.astype(object).to_dict("records")]
    factors = tell_factors(sorted(set(known["num_seeds"])))
    return [Table(rows, title=_TITLE), legend(_LEGEND.format(factors=factors, bins=NUM_BINS))]


def tell_factors(numbers: Sequence[int]) -> str:
    """Say how wide the 90 % interval is, in standard deviations, for some numbers of seeds."""
    first, *others = (f"{interval_factor(number):.2f} standard deviations ({number} seeds)" for number in numbers)
    return " or ".join([first, *(other.replace(" standard deviations", "") for other in others)])


def tell_coverage(measured: Mapping[str, Mapping[str, Calibration]]) -> list[str]:
    """Say for how many test molecules the true value lay in the 90 % interval, one sentence per number of seeds.

    Args:
        measured: calibration by the name of the ensemble, then by the name of the target.
    """
    shares: dict[int, dict[str, dict[str, float]]] = {}
    for name, of_targets in measured.items():
        for target, one in of_targets.items():
            shares.setdefault(one.num_seeds, {}).setdefault(target, {})[name] = one.coverage
    return [
        f"If the deviation told how far the mean errs, {LEVEL:.0%} of the test molecules would have their true value "
        f"within {tell_factors([number])} of it: it was {_tell_shares(by_target)}".replace("%", " %")
        for number, by_target in sorted(shares.items())
    ]


def _tell_shares(by_target: Mapping[str, Mapping[str, float]]) -> str:
    every = [share for of_models in by_target.values() for share in of_models.values()]
    if len(every) > _MOST_SHARES:
        return f"{min(every):.0%} to {max(every):.0%}, by target and model (see table.md)"
    return "; ".join(
        f"{', '.join(f'{share:.0%} for {name}' for name, share in of_models.items())} on {target}"
        for target, of_models in by_target.items()
    )


def _figures(row: dict[Any, Any]) -> dict[str, str]:
    one, mean = row["mae_mean"], row["ensemble_mae"]
    return {
        "seeds": str(row["num_seeds"]),
        "MAE of one": with_spread(one, None) + f" {FAULTY}" * bool(row["fault"]),
        "MAE of the mean": with_interval(
            mean, row["ensemble_mae_low"], row["ensemble_mae_high"], notation_of(mean, 4, otherwise=4)
        ),
        "unit": row["unit"],
        "lower by": f"{Notation(1).write(100 * (1 - mean / one))} %" if one > 0 else "",
        f"in the {LEVEL:.0%} interval".replace("%", " %"): f"{Notation(1).write(100 * row['coverage_90'])} %",
        "ENCE": _write_ence(row["ence"]),
        "ENCE if right": _write_ence(row["ence_ideal"]),
    }


def _write_ence(value: float | None) -> str:
    return "" if pd.isna(value) else notation_of(value, 2).write(value) if value >= 100 else Notation(2).write(value)
