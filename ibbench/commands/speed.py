"""`ibbench speed`: timings of the models of a config, printed and written as tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS
from ibbench.options.compose import compose_config, expand
from ibbench.record.folder import TABLE, TABLE_TEXT, study_folder
from ibbench.record.tables import write_tables
from ibbench.report.cells import markdown_table
from ibbench.run.plan import plan
from ibbench.speed.growth import growth_exponent, sweep
from ibbench.speed.measure import measure
from ibbench.terminal import fitting_table, say
from ibbench.training.device import describe_device

_LEGEND = (
    "molecules/s: median of {repeats} timings, ours and the peer's in turn, with the lowest and highest. Peer: the "
    "same architecture, width, depth, batch size and number of threads out of PyTorch Geometric's parts, with its "
    "loader; one model, ours all replicas packed. train is a whole step, with batching and optimizer; infer a "
    "prediction with batching. GFLOP/s: of matrix products, counted by torch; ceiling: what the products of the linear "
    "layers and of their backward passes reach on this machine by themselves. Of a compiled step forward and backward "
    "pass are one."
)


def report_speed(overrides: Sequence[str], repeats: int, seconds: float, with_sweep: bool, console: Console) -> None:
    """Time each model of the config, print the table, and write `table.csv` and `table.md` (and `sweep.csv`).

    Args:
        overrides: of the config; `model=a,b` chooses models.
        repeats: how often each is timed.
        seconds: how long one timing should take.
        with_sweep: whether to time other sizes as well.
        console: where to print.

    Raises:
        InputError: the config is not possible, or asks for a device other than the CPU.
    """
    if repeats < 1 or not seconds > 0:
        raise InputError("--repeats must be at least 1 and --seconds above 0")
    points = expand([f"model={','.join(STANDARD_MODELS)}", "name=speed", "device=cpu", *overrides])
    configs = [compose_config(point) for point in points]
    if any(config.device != "cpu" for config in configs):
        raise InputError("`ibbench speed` times the CPU: expected device=cpu")
    tables, sweeps = [], []
    for config, point in zip(configs, points, strict=True):
        say(f"timing {config.model.name}")
        tables.append(measure(plan(config), repeats, seconds))
        if with_sweep:
            sweeps.append(sweep(point, repeats, seconds))
    table = pd.concat(tables, ignore_index=True)
    growth = pd.concat(sweeps, ignore_index=True) if sweeps else None
    folder = study_folder(configs[0])
    _write(folder, table, growth)
    rows = [_shortened(row) for row in _readable(table)]
    console.print(fitting_table("Speed", rows, {"model", "phase"}, console.width, ("memory", "optimizer", "batching")))
    for line in _exponents(growth):
        say(line)
    say(f"Written to {folder}: table.csv, table.md{', sweep.csv' if growth is not None else ''}")


def _write(folder: Path, table: pd.DataFrame, growth: pd.DataFrame | None) -> None:
    device = describe_device(torch.device("cpu"))
    lines = [f"# {folder.name}", "", *markdown_table(_readable(table)), ""]
    lines += [_LEGEND.format(repeats=table["repeats"].iloc[0]), ""]
    files = {TABLE: to_csv(table)}
    if growth is not None:
        lines += ["## Where the time grows", "", *markdown_table(_readable_growth(growth)), ""]
        lines += [f"{line}\n" for line in _exponents(growth)]
        files["sweep.csv"] = to_csv(growth)
    lines.append(f"Device: {device}; torch {torch.__version__}. No GPU was measured.")
    write_tables(folder, files | {TABLE_TEXT: "\n".join(lines) + "\n"})


def _readable(table: pd.DataFrame) -> list[dict[str, str]]:
    return [_readable_row(row) for _, row in table.astype(object).iterrows()]


def _readable_row(row: "pd.Series[Any]") -> dict[str, str]:
    def rate(who: str) -> str:
        median = row[f"{who}_molecules_per_second"]
        return f"{median:,.0f} [{row[f'{who}_low']:,.0f}, {row[f'{who}_high']:,.0f}]" if pd.notna(median) else ""

    def share(phase: str) -> str:
        part = row[f"{phase}_share"]
        return f"{part:.0%}" if pd.notna(part) else ""

    return {
        "model": row["model"],
        "phase": row["phase"],
        "molecules/s": rate("ours"),
        "peer's": rate("peer"),
        "ratio": f"{row['ratio']:.1f}" if pd.notna(row["ratio"]) else "",
        "GFLOP/s": f"{row['gflops']:.0f}",
        "of the ceiling": f"{row['fraction_of_ceiling']:.0%} of {row['ceiling_gflops']:.0f}",
        "batching": share("batching"),
        "forward": share("forward"),
        "backward": share("backward"),
        "optimizer": share("optimizer"),
        "memory MB": f"{row['peak_memory_mb']:,.0f}" if pd.notna(row["peak_memory_mb"]) else "",
        "width": f"{row['width']}, {row['hidden']}",
        "batch": f"{row['replicas']} x {row['batch_size']}",
        "compiled": "yes" if row["compiled"] else "no",
    }


def _shortened(row: dict[str, str]) -> dict[str, str]:
    """Keep what fits a terminal, without the spread."""
    kept = ("model", "phase", "molecules/s", "peer's", "ratio", "of the ceiling", "batching", "optimizer")
    return {name: row[name].partition(" [")[0] for name in kept}


def _readable_growth(growth: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "model": row["model"],
            "varied": row["varied"],
            "value": f"{row['value']:,}",
            "molecules/s": f"{row['molecules_per_second']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]",
            "epoch s": f"{row['epoch_seconds']:.2f}" if pd.notna(row["epoch_seconds"]) else "",
            "memory MB": f"{row['peak_memory_mb']:,.0f}",
        }
        for _, row in growth.astype(object).iterrows()
    ]


def _exponents(growth: pd.DataFrame | None) -> list[str]:
    if growth is None:
        return []
    sizes = growth[growth["varied"] == "train_size"]
    return [
        f"{model}: the time of an epoch grows with the number of molecules to the power of {growth_exponent(rows):.3f}"
        for model, rows in sizes.groupby("model", sort=False)
    ]
