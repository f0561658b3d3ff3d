"""Cells of tables for people: which columns are shown, and how figures, intervals and marks are written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from ibbench.compare.cautions import MOST_SHARED
from ibbench.compare.rows import in_full
from ibbench.compare.table import BEST, SO_FAR
from ibbench.options.words import NATS

TIED = "≈"
FAULTY = "†"  # marks a row that supports no claim
_LEAST, _MOST = 1e-4, 1e6  # figures below the first, or not below the second, are written with an exponent
OF_POOL = "; for this pool"
# A row of a table by its columns. Long tables use dicts, since a pandas series takes several times as long.
_Row: TypeAlias = "Mapping[Any, Any] | pd.Series[Any]"


def error_name(unit: str) -> str:
    """Return what the errors in a unit are: the MAE of a number, or the log loss of a class, which is in nats."""
    return "log loss" if unit == NATS else "MAE"


def in_words_of(unit: str, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows of a target with the name of its error in their columns, in the place of MAE."""
    return [{column.replace("MAE", error_name(unit)): cell for column, cell in row.items()} for row in rows]


def task(target: str, unit: str, train_size: str) -> str:
    """Return the title of a table: target, unit and number of train molecules."""
    if unit == NATS:
        return f"log loss of {target} in {unit}, {train_size} train molecules"
    return f"{target} in {unit or 'no unit'}, {train_size} train molecules"


def renamed(rows: Sequence[dict[str, str]], names: Mapping[str, str]) -> list[dict[str, str]]:
    """Return rows with some columns renamed; `names` maps old names to new ones."""
    return [{names.get(column, column): cell for column, cell in row.items()} for row in rows]


def readable(table: pd.DataFrame, reference: str = BEST, fields: Sequence[str] = ()) -> list[dict[str, str]]:
    """Choose, name and format the columns of a comparison table for people.

    Args:
        table: table of `compare.table.build_table`, or a part of it, either of classes or of numbers.
        reference: denominator of the ratios to show: `best`, or the name of a model.
        fields: columns that come first.

    Returns:
        The cells of each row by column.
    """
    variants = bool(table["variant"].any())
    known = {
        name
        for name in ("mae_over_chemical_accuracy", "doubling", "cliff_mae_mean")
        if name in table and table[name].notna().any()
    }
    shown = [*fields, "target", "train_size", "model", *(["variant"] if variants else [])]
    rows = [about(row, shown) | _figures(row, reference, known) for row in table.astype(object).to_dict("records")]
    return in_words_of(NATS, rows) if (table["unit"] == NATS).all() else rows


def about(row: _Row, columns: Sequence[str]) -> dict[str, str]:
    """Format the columns that identify a row, such as target, train size and model."""
    sizes = {"train size": f"{row['train_size']:,}"}
    return {k: v for column in columns for k, v in (sizes if column == "train_size" else {column: row[column]}).items()}


def _figures(row: _Row, reference: str, known: set[str]) -> dict[str, str]:
    cells = {
        "test MAE": with_spread(row["mae_mean"], row["mae_std"]) + (f" {FAULTY}" if row["fault"] else ""),
        "unit": row["unit"],
        f"MAE / {reference}": ratio(row, reference),
        "verdict": of_pool(row[f"verdict_vs_{reference}"], (row["train_share"] or 0) > MOST_SHARED),
        **(_of_class(row) if row["unit"] == NATS else _of_number(row)),
    }
    if "doubling" in known:
        cells["by twice the steps"] = _change(row)
    if "mae_over_chemical_accuracy" in known:
        cells["MAE / chemical accuracy"] = _with_decimals(row["mae_over_chemical_accuracy"], 1)
    if "cliff_mae_mean" in known:
        cells |= _on_cliffs(row)
    trained = pd.notna(row["train_seconds"])
    return cells | {
        "seeds": str(row["num_seeds"]),
        "parameters": f"{row['parameters']:,}",
        "MFLOPs/molecule": f"{row['flops_per_molecule'] / 1e6:.2f}" if trained else "",
        "train s": f"{row['train_seconds']:.1f}" if trained else "",
        "molecules/s": f"{row['molecules_per_second']:,.0f}" if trained else "",
        "on the front of": row["pareto"].replace(" ", ", "),
    }


def _of_number(row: _Row) -> dict[str, str]:
    return {"RMSE": with_spread(row["rmse_mean"], None), "R²": _with_decimals(row["r2_mean"], 3)}


def _on_cliffs(row: _Row) -> dict[str, str]:
    """Format the errors of molecules on activity cliffs; empty where they are not known."""
    mean, low, high = (row[f"cliff_mae_{part}"] for part in ("mean", "low", "high"))
    return {
        "MAE on cliffs": "" if pd.isna(mean) else with_interval(mean, low, high, notation_of(mean, 4)),
        "RMSE on cliffs": "" if pd.isna(mean) else with_spread(row["cliff_rmse_mean"], None),
    }


def _of_class(row: _Row) -> dict[str, str]:
    """Format the figures of a class beside its log loss."""
    cells = {}
    for name, column in (("AUROC", "auroc"), ("average precision", "average_precision")):
        mean, low, high = (row[f"{column}_{part}"] for part in ("mean", "low", "high"))
        cells[name] = "" if pd.isna(mean) else with_interval(mean, low, high, Notation(3))
    error, by_chance = (_with_decimals(row[f"calibration_{name}_mean"], 3) for name in ("error", "by_chance"))
    cells |= {"Brier": _with_decimals(row["brier_mean"], 3), "calibration error": f"{error} ({by_chance} by chance)"}
    mean, low, high = (row[f"ensemble_mae{part}"] for part in ("", "_low", "_high"))
    return cells | {"MAE of the mean": "" if pd.isna(mean) else with_interval(mean, low, high, notation_of(mean, 4))}


class Notation(NamedTuple):
    """How all figures of one cell are written.

    Attributes:
        decimals: number of digits after the decimal point.
        exponent: power of ten that is written as `e5`; 0 for figures without an exponent.
    """

    decimals: int
    exponent: int = 0

    def write(self, value: float) -> str:
        """Format one figure in this notation."""
        scaled = round(value / 10.0**self.exponent, self.decimals) + 0.0  # + 0.0: no "-0.000"
        return f"{scaled:.{self.decimals}f}" + (f"e{self.exponent}" if self.exponent else "")


def notation_of(value: float, digits: int, otherwise: int = 0) -> Notation:
    """Choose the notation in which a figure has some number of significant digits.

    Other figures of the same cell can then be written in the same notation. Very large and very small figures get an
    exponent. The arguments are those of `decimals_of`.
    """
    size = abs(value) if pd.notna(value) else 0.0
    if 0 < size < math.inf and not _LEAST <= size < _MOST:
        return Notation(digits - 1, math.floor(math.log10(size)))
    return Notation(decimals_of(size, digits, otherwise))


def figure(value: float, digits: int) -> str:
    """Format a figure with this many significant digits."""
    return notation_of(value, digits, otherwise=digits).write(value)


def _change(row: _Row) -> str:
    """Format the change of the MAE by twice the steps, in percent, with its interval."""
    percent = [
        None if pd.isna(row[name]) else 100 * row[name] for name in ("doubling", "doubling_low", "doubling_high")
    ]
    return "" if percent[0] is None else with_interval(percent[0], percent[1], percent[2], Notation(1)) + " %"


def _with_decimals(value: Any, decimals: int) -> str:
    """Format a figure with this many decimals, unless it is very large; nothing where it is unknown."""
    if pd.isna(value):
        return ""
    return (notation_of(value, 4) if abs(value) >= _MOST else Notation(decimals)).write(value)


def of_pool(verdict: str, is_of_pool: bool) -> str:
    """Add to a verdict that it holds for this pool of train molecules only, if that is so."""
    return verdict + OF_POOL * is_of_pool


def with_spread(mean: float, spread: float | None) -> str:
    """Format `mean ± spread` with as many decimals as give the mean four significant digits."""
    notation = notation_of(mean, 4, otherwise=4)
    return notation.write(mean) + (f" ± {notation.write(spread)}" if spread is not None and pd.notna(spread) else "")


def decimals_of(value: float, digits: int, otherwise: int = 0) -> int:
    """Return the number of decimals at which a positive figure has some number of significant digits.

    Args:
        value: the figure.
        digits: number of significant digits; digits before the decimal point are always kept.
        otherwise: number of decimals for a figure that is 0, negative, infinite or NaN.
    """
    return max(0, digits - 1 - math.floor(math.log10(value))) if 0 < value < math.inf else otherwise


def ratio(row: _Row, reference: str) -> str:
    """Format the ratio of the MAE to that of the reference, with its interval; 1 for the reference itself."""
    value: float | None = row[f"ratio_to_{reference}"]
    if pd.isna(value):
        return "1" if str(row[f"verdict_vs_{reference}"]) in {reference, SO_FAR} else ""
    return with_interval(
        value, row[f"ratio_to_{reference}_low"], row[f"ratio_to_{reference}_high"], _notation_of_ratio(value)
    )


def _notation_of_ratio(value: float) -> Notation:
    """Choose the notation of a ratio: at least two decimals and two significant digits."""
    notation = notation_of(value, 2)
    return notation if notation.exponent else Notation(max(2, notation.decimals))


def with_interval(value: float, low: float | None, high: float | None, notation: Notation) -> str:
    """Format `value [low, high]`, or the value alone if its interval is unknown."""
    if low is None or high is None or pd.isna(low):
        return notation.write(value)
    return f"{notation.write(value)} [{notation.write(low)}, {notation.write(high)}]"


def without_interval(cell: str) -> str:
    """Return a cell that `with_interval` has written without its interval."""
    return cell.partition(" [")[0]


def difference(row: _Row) -> str:
    """Format a difference with its interval; the largest of the three figures gets three significant digits."""
    values = [row["difference"], row["difference_low"], row["difference_high"]]
    largest = max((abs(value) for value in values if pd.notna(value)), default=0.0)
    return with_interval(row["difference"], row["difference_low"], row["difference_high"], notation_of(largest, 3))


def probability(p_value: float | None) -> str:
    """Format a p-value with two significant digits; empty if it is unknown."""
    if p_value is None or pd.isna(p_value):
        return ""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def readable_pairs(pairs: pd.DataFrame, fields: Sequence[str] = ()) -> list[dict[str, str]]:
    """Choose, name and format the columns of `pairs_table` for people; `fields` are columns that come first."""
    return [_pair(row, [*fields, "target", "train_size"]) for row in pairs.astype(object).to_dict("records")]


def _pair(row: _Row, named: Sequence[str]) -> dict[str, str]:
    def interval(value: str, low: str, high: str) -> str:
        notation = _notation_of_ratio(row[value]) if value == "ratio" else Notation(2)
        return with_interval(row[value], row[low], row[high], notation) if pd.notna(row[value]) else ""

    return about(row, named) | {
        "A": in_full(row["a"], row["a_variant"]),
        "B": in_full(row["b"], row["b_variant"]),
        "MAE A − MAE B": difference(row),
        "unit": row["unit"],
        "MAE A / MAE B": interval("ratio", "ratio_low", "ratio_high"),
        "P(A < B)": interval("probability_a_lower", "probability_low", "probability_high"),
        "p": probability(row["p_holm"]),
        "verdict": row["verdict"],
    }


def readable_summary(summary: pd.DataFrame, fields: Sequence[str] = ()) -> list[dict[str, str]]:
    """Choose, name and format the columns of `summarise` for people; `fields` are columns that come first."""
    named = [*fields, "train_size", "model", *(["variant"] if summary["variant"].any() else [])]
    return [
        about(row, named)
        | {
            "targets": str(row["num_targets"]),
            "mean of MAE / std": with_spread(row["mae_over_std_mean"], None)
            if pd.notna(row["mae_over_std_mean"])
            else "",
            "mean rank": f"{row['mean_rank']:.2f}" if pd.notna(row["mean_rank"]) else "",
            "within chemical accuracy": row["within_chemical_accuracy"] or "",
        }
        for row in summary.astype(object).to_dict("records")
    ]
