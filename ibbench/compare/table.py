"""Records to a comparison table: CSV for programs, Markdown for people and diffs, rich for the terminal."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.text import Text

from ibbench.compare.record import Record, ReplicaEntry, read_records
from ibbench.data.targets import QM9_TARGETS
from ibbench.files import write_atomically
from ibbench.models import model_names
from ibbench.terminal import narrow_table

COLUMNS = [
    "model", "variant", "target", "unit", "train_size", "num_seeds", "mae_mean", "mae_std", "rmse_mean", "r2_mean",
    "mae_over_std_mean", "parameters", "flops_per_molecule", "train_seconds", "molecules_per_second", "split",
]  # fmt: skip
BASELINES = ("mean", "composition")
_DIGITS = 4
_SHORT = {"parameters": "params", "MFLOPs/molecule": "MFLOPs", "molecules/s": "mol/s"}
_LEGEND = (
    "MAE: mean ± standard deviation over seeds, on the test molecules of the split. FLOPs: of one prediction. "
    "Seconds: of the training steps of all seeds together."
)
# Options that the table has columns for.
_NOT_VARIANTS = {"targets", "seeds", "model.name", "data.train_size"}


class Result(NamedTuple):
    """One replica, or the same of a baseline, with its share of what its run cost."""

    model: str
    variant: str
    train_size: int
    split: str
    entry: ReplicaEntry
    parameters: int
    flops_per_molecule: int | None
    seconds: float | None


def build_table(records: Iterable[Record]) -> pd.DataFrame:
    """Aggregate the replicas of finished runs over their seeds.

    Returns:
        One row a (model, variant, target, train size, split), in a stable order, with `COLUMNS`. `variant` names
        the options that differ between the runs of the study. `mae_std` is the sample standard deviation over
        seeds, missing for one seed. `train_seconds` is the time that the row's replicas took.
    """
    done = [record for record in records if record.status == "done"]
    groups: dict[tuple[str, str, str, int, str], dict[int, Result]] = {}
    for result in _results(done):
        key = (result.model, result.variant, result.entry.target, result.train_size, result.split)
        groups.setdefault(key, {}).setdefault(result.entry.seed, result)
    rows = [_row(key, list(results.values())) for key, results in sorted(groups.items(), key=_order)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"flops_per_molecule": "Int64"})


def _results(records: list[Record]) -> Iterable[Result]:
    for record, variant in zip(records, _variants(records), strict=True):
        cost, place = record.cost, (record.train_size, record.split_fingerprint)
        assert cost is not None  # of a run that is done
        seconds = cost.train_seconds / len(record.replicas)
        described = _describe(variant)
        for entry in record.replicas:
            model = record.config["model"]["name"]
            yield Result(model, described, *place, entry, cost.parameters, cost.flops_per_molecule, seconds)
        # A baseline knows nothing of the options of models and trainings.
        of_data = _describe({key: value for key, value in variant.items() if key.startswith("data.")})
        for baseline in record.baselines:
            for entry in baseline.replicas:
                yield Result(baseline.name, of_data, *place, entry, baseline.parameters, None, None)


def _describe(variant: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in variant.items())


def _variants(records: list[Record]) -> list[dict[str, str]]:
    """Return for each record the options in which the records differ; an option that is absent is null.

    Options that only some models have are compared between the records of those models alone.
    """
    flat = [_flatten(record.config) | {"data.content": record.data_source} for record in records]
    models = [str(options["model.name"]) for options in flat]
    keys = list(dict.fromkeys(key for options in flat for key in options if key not in _NOT_VARIANTS))
    variants: list[dict[str, str]] = [{} for _ in records]
    for key in keys:
        having = {model for model, options in zip(models, flat, strict=True) if key in options}
        values = {row: str(flat[row].get(key, "null")) for row, model in enumerate(models) if model in having}
        if len(set(values.values())) > 1:
            for row, value in values.items():
                variants[row][key] = value
    return variants


def _flatten(options: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif value is not None:  # `budget=null` has no `budget.parameters`: null and absent are the same
            flat[prefix + key] = value
    return flat


def _row(key: tuple[str, str, str, int, str], results: list[Result]) -> dict[str, Any]:
    model, variant, target, train_size, split = key
    tests = [result.entry.test for result in results]
    maes = [test.mae for test in tests]
    seconds = [result.seconds for result in results if result.seconds is not None]
    molecules = sum(result.entry.epochs for result in results) * train_size
    return {
        "model": model,
        "variant": variant,
        "target": target,
        "unit": results[0].entry.unit,
        "train_size": train_size,
        "num_seeds": len(results),
        "mae_mean": np.mean(maes),
        "mae_std": np.std(maes, ddof=1) if len(maes) > 1 else None,
        "rmse_mean": np.mean([test.rmse for test in tests]),
        "r2_mean": _mean([test.r2 for test in tests]),
        "mae_over_std_mean": _mean([test.mae_over_std for test in tests]),
        "parameters": results[0].parameters,
        "flops_per_molecule": results[0].flops_per_molecule,
        "train_seconds": sum(seconds) if seconds else None,
        "molecules_per_second": molecules / sum(seconds) if seconds else None,
        "split": split,
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _order(item: tuple[tuple[str, str, str, int, str], Any]) -> tuple[Any, ...]:
    model, variant, target, train_size, split = item[0]
    models = [*BASELINES, *model_names()]
    targets = list(QM9_TARGETS)
    return (
        targets.index(target) if target in targets else len(targets), target, train_size,
        models.index(model) if model in models else len(models), model, variant, split,
    )  # fmt: skip


def _text(value: Any) -> str:
    """Format a cell: four significant digits for what is measured, all digits for what is counted."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, precision=_DIGITS, fractional=False, trim="-")
    return str(value)


def to_csv(table: pd.DataFrame) -> str:
    """Format the table as CSV with a header."""
    cells = table.astype(object).map(_text)
    return str(cells.to_csv(index=False, lineterminator="\n"))


def _readable(table: pd.DataFrame) -> list[dict[str, str]]:
    """Choose and name the columns that people read."""
    with_variants = bool(table["variant"].any())
    return [_readable_row(row, with_variants) for _, row in table.astype(object).iterrows()]


def _readable_row(row: "pd.Series[Any]", with_variant: bool) -> dict[str, str]:
    cells = {"target": row["target"], "train size": f"{row['train_size']:,}", "model": row["model"]}
    if with_variant:
        cells["variant"] = row["variant"]
    measured = {
        "test MAE": _with_spread(row["mae_mean"], row["mae_std"]),
        "unit": row["unit"],
        "RMSE": _with_spread(row["rmse_mean"], None),
        "R²": f"{round(row['r2_mean'], 3) + 0.0:.3f}" if pd.notna(row["r2_mean"]) else "",  # + 0.0: no "-0.000"
        "seeds": str(row["num_seeds"]),
        "parameters": f"{row['parameters']:,}",
    }
    if pd.isna(row["train_seconds"]):
        return cells | measured | {"MFLOPs/molecule": "", "train s": "", "molecules/s": ""}
    return (
        cells
        | measured
        | {
            "MFLOPs/molecule": f"{row['flops_per_molecule'] / 1e6:.2f}",
            "train s": f"{row['train_seconds']:.1f}",
            "molecules/s": f"{row['molecules_per_second']:,.0f}",
        }
    )


def _with_spread(mean: float, spread: float | None) -> str:
    """Format `mean ± spread` with as many decimals as give the mean four significant digits."""
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(mean))) if mean > 0 else _DIGITS
    return f"{mean:.{decimals}f}" + (f" ± {spread:.{decimals}f}" if pd.notna(spread) else "")


def _assumptions(records: list[Record]) -> list[tuple[str, str, str, str]]:
    known = {record.config["model"]["name"]: record.assumptions for record in records}
    names = sorted(known, key=lambda name: model_names().index(name) if name in model_names() else len(known))
    return [(name, known[name]["symmetries"], known[name]["connectivity"], known[name]["weights"]) for name in names]


def to_markdown(table: pd.DataFrame, records: list[Record], name: str) -> str:
    """Format the table as Markdown, with what each model assumes and what the figures come from."""
    rows = _readable(table)
    lines = [f"# {name}", ""]
    if rows:
        left = {"target", "model", "variant", "unit"}
        lines += _markdown_rows(list(rows[0]), [list(row.values()) for row in rows], left)
    else:
        lines.append("No run has finished.")
    lines += ["", "What each model assumes:", ""]
    header = ["model", "symmetries", "connectivity", "weights"]
    lines += _markdown_rows(header, [list(row) for row in _assumptions(records)], set(header))
    devices = sorted({record.device for record in records})
    versions = sorted({f"{package} {version}" for record in records for package, version in record.versions.items()})
    splits = sorted({f"{record.split_fingerprint} of {record.data_source}" for record in records})
    lines += [
        "",
        _LEGEND,
        "",
        f"Split: {', '.join(splits)}. Device: {', '.join(devices)}. Versions: {', '.join(versions)}.",
    ]
    lines += [f"\nFailed: {record.run}: {record.error.message}" for record in records if record.error]
    return "\n".join(lines) + "\n"


def _markdown_rows(header: list[str], rows: list[list[str]], left: set[str]) -> list[str]:
    rule = [":--" if column in left else "--:" for column in header]
    return ["| " + " | ".join(cells) + " |" for cells in [header, rule, *rows]]


def to_rich(table: pd.DataFrame, records: list[Record], name: str) -> RenderableType:
    """Format the table for the terminal: one part a (target, train size), narrow enough for 80 columns."""
    parts: list[RenderableType] = []
    for (target, train_size), group in table.groupby(["target", "train_size"], sort=False):
        rows = _readable(group)
        seeds = " or ".join(sorted({row["seeds"] for row in rows}))
        title = f"{name}: {target} in {rows[0]['unit']}, {train_size:,} train molecules, {seeds} seeds"
        shown = [column for column in rows[0] if column not in {"target", "train size", "unit", "seeds", "RMSE"}]
        text = tuple(column for column in shown if column in {"model", "variant"})
        numbers = tuple(_SHORT.get(column, column) for column in shown if column not in text)
        part = narrow_table(title, text, numbers, folded=("variant",))
        for row in rows:
            part.add_row(*(row[column] for column in shown))
        parts.append(part)
    parts += [Text(f"failed: {record.run}: {record.error.message}") for record in records if record.error]
    return Group(*parts)


def tabulate(study: Path, console: Console) -> None:
    """Rebuild `table.csv` and `table.md` of a study from its records, and print the table.

    Raises:
        InputError: the folder holds no records, or one that cannot be read. No file is changed.
    """
    records = read_records(study)
    table = build_table(records)
    write_atomically(study / "table.csv", to_csv(table))
    write_atomically(study / "table.md", to_markdown(table, records, study.name))
    console.print(to_rich(table, records, study.name))
    console.print(f"Written: {study / 'table.csv'} and {study / 'table.md'}", highlight=False, markup=False)
