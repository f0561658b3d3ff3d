"""The timings of `ibbench speed`, in words and tables."""

from typing import Any

import pandas as pd

from ibbench.report.cells import without_interval
from ibbench.report.document import Heading, Remark, Shape, Table, legend
from ibbench.speed.growth import growth_exponent

_LEGEND = (
    "molecules/s: of the whole machine, median of {repeats} timings, ours and the peer's in turn, with the lowest and "
    "highest. Peer: the same architecture, width, depth and batch size out of PyTorch Geometric's parts, with its "
    "loader; one model in each process. as: processes x threads; of both arrangements the faster counts, ours and the "
    "peer's, and of the peer's model as it is and, where ours is compiled, compiled. replicas: how many models ours "
    "trains at once in each process. train is a whole step, with batching and optimizer; infer a prediction with "
    "batching. GFLOP/s: of matrix products, counted by torch; ceiling: what the products of the linear layers and of "
    "their backward passes reach by themselves, in the same arrangement. Of a compiled step forward and backward pass "
    "are one."
)
_OUTSIDE = (
    "Both train on the same {size:,} molecules, choose by the same validation and are measured on the same test "
    "molecules. s: the whole command, start-up included, each with the cores that it takes by itself. Ours finds its "
    "features in the data cache, the other computes them. Ours is trained anew for 1, 2, 4, … epochs until its error "
    "is as low."
)
_SHOWN = ("model", "replicas", "phase", "molecules/s", "as", "peer's", "peer as", "ratio", "of the ceiling", "batching")


def page(name: str, table: pd.DataFrame, growth: pd.DataFrame | None, made_with: str) -> list[Shape]:
    """Return all timings, for a file.

    Args:
        name: the name of the study.
        table: the timings, with `ibbench.speed.columns.COLUMNS`.
        growth: those at several sizes, with its `GROWTH_COLUMNS`; None if they were not taken.
        made_with: the device and the version of torch.
    """
    grown: list[Shape] = []
    if growth is not None:
        rows = [_growth_row(row) for _, row in growth.astype(object).iterrows()]
        grown = [Table(rows, title="Where the time grows"), *map(Remark, _exponents(growth))]
    return [
        Heading(name, level=1),
        Table(_rows(table)),
        legend(_LEGEND.format(repeats=table["repeats"].iloc[0])),
        *grown,
        Remark(f"Device: {made_with}. No GPU was measured."),
    ]


def brief(table: pd.DataFrame, growth: pd.DataFrame | None) -> list[Shape]:
    """Return the timings without their spread, for a screen; arguments are those of `page`."""
    rows = [{name: without_interval(row[name]) for name in _SHOWN} for row in _rows(table)]
    return [
        Table(rows, title="Speed", text={"model", "phase"}, optional=("batching", "of the ceiling")),
        *map(Remark, _exponents(growth)),
    ]


def outside_page(name: str, table: pd.DataFrame, made_with: str) -> list[Shape]:
    """Return the times of the command of another package and of ours, to the same error.

    Args:
        name: the name of the study.
        table: the times, with `ibbench.speed.columns.OUTSIDE_COLUMNS`, the other package first.
        made_with: the device and the versions.
    """
    rows = [
        {
            "who": row["who"],
            "model": row["model"],
            "epochs": str(row["epochs"]),
            f"test MAE {row['target']}": f"{row['test_mae']:.4f} {row['unit']}",
            "s": f"{row['seconds']:.1f}",
        }
        for _, row in table.astype(object).iterrows()
    ]
    other, last = table.iloc[0], table.iloc[-1]
    if last["reached"]:
        said = (
            f"`ibbench train` is as good after {last['epochs']} epochs: {last['seconds']:.1f} s for "
            f"{other['seconds']:.1f} s of {other['who']}, {other['seconds'] / last['seconds']:.1f} times as fast."
        )
    else:
        said = f"`ibbench train` did not reach the error of {other['who']} within {last['epochs']} epochs."
    return [
        Heading(name, level=1),
        Table(rows, text={"who", "model"}),
        Remark(said),
        legend(_OUTSIDE.format(size=other["train_size"])),
        Remark(f"Device: {made_with}. No GPU was measured."),
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [_row(row) for _, row in table.astype(object).iterrows()]


def _row(row: "pd.Series[Any]") -> dict[str, str]:
    def rate(who: str) -> str:
        median = row[f"{who}_molecules_per_second"]
        return f"{median:,.0f} [{row[f'{who}_low']:,.0f}, {row[f'{who}_high']:,.0f}]" if pd.notna(median) else ""

    def share(phase: str) -> str:
        part = row[f"{phase}_share"]
        return f"{part:.0%}" if pd.notna(part) else ""

    peer = pd.notna(row["ratio"])
    return {
        "model": row["model"],
        "replicas": str(row["replicas"]),
        "phase": row["phase"],
        "molecules/s": rate("ours"),
        "as": row["arrangement"],
        "peer's": rate("peer"),
        "peer as": f"{row['peer_arrangement']}{', compiled' if row['peer_compiled'] else ''}" if peer else "",
        "ratio": f"{row['ratio']:.1f}" if pd.notna(row["ratio"]) else "",
        "GFLOP/s": f"{row['gflops']:.0f}",
        "of the ceiling": f"{row['fraction_of_ceiling']:.0%} of {row['ceiling_gflops']:.0f}",
        "batching": share("batching"),
        "forward": share("forward"),
        "backward": share("backward"),
        "optimizer": share("optimizer"),
        "memory MB": f"{row['peak_memory_mb']:,.0f}" if pd.notna(row["peak_memory_mb"]) else "",
        "width": f"{row['width']}, {row['hidden']}",
        "batch": str(row["batch_size"]),
        "compiled": "yes" if row["compiled"] else "no",
    }


def _growth_row(row: "pd.Series[Any]") -> dict[str, str]:
    return {
        "model": row["model"],
        "varied": row["varied"],
        "value": f"{row['value']:,}",
        "molecules/s": f"{row['molecules_per_second']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]",
        "epoch s": f"{row['epoch_seconds']:.2f}" if pd.notna(row["epoch_seconds"]) else "",
        "memory MB": f"{row['peak_memory_mb']:,.0f}",
    }


def _exponents(growth: pd.DataFrame | None) -> list[str]:
    """Say how the time of an epoch grows with the number of molecules."""
    if growth is None:
        return []
    sizes = growth[growth["varied"] == "train_size"]
    return [
        f"{model}: the time of an epoch grows with the number of molecules to the power of {growth_exponent(rows):.3f}"
        for model, rows in sizes.groupby("model", sort=False)
    ]
