"""The survey of a device, in words and tables."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ibbench.report.document import Heading, Remark, Shape, Table, legend
from ibbench.speed.survey.folder import Taken
from ibbench.speed.survey.tables import AGREEMENT, MEMORY, PRECISION, RATES

_TEXT = ("model", "compared with", "step", "who", "precision", "agrees", "measurement", "status", "why")
_AGREEMENT = (
    "Numbers of the device beside the same training on its CPU (cpu), and of a training that was saved, read and "
    "resumed beside one that was not (uninterrupted). predictions: the largest difference over the deviation of the "
    "target, of untrained weights (cpu) or trained ones; errors: the largest relative difference of a validation "
    "error. They agree up to 0.001 and 0.01."
)
_RATES = (
    "molecules/s: of all replicas together, the median of several timings with the lowest and highest, with batching "
    "and optimizer. step: how it is run. begin s: seconds until it runs, in which it is compiled. standard h: what one "
    "model of experiment=standard would take at this rate, without validation. Peer: the same model out of PyTorch "
    "Geometric's parts, with its loader; one model."
)
_MEMORY = (
    "Memory of one more replica, as trainer.replicas_per_pack=auto predicts it and as measured: the difference of the "
    "peaks of packs of two and of eight."
)
_PRECISION = (
    "Validation errors after a short training, mean and deviation over seeds. change: of the mean, from float32; "
    "of std: its size over the deviation of float32. Below 1 the seeds change more than the precision does."
)


def page(
    name: str, tables: dict[str, pd.DataFrame], missing: Sequence[str], bad: Sequence[Taken], device: str, has_gpu: bool
) -> list[Shape]:
    """Return what a survey has found.

    Args:
        name: the name of its folder.
        tables: its tables, by the names of their files.
        missing: the names of measurements that were not taken yet.
        bad: the measurements that failed or were too slow.
        device: the device and the version of torch.
        has_gpu: whether the device is a GPU.
    """
    shapes: list[Shape] = [Heading(name, level=1)]
    for file, title, row, text in (
        (AGREEMENT, "Does it compute the same?", _agreement_row, _AGREEMENT),
        (RATES, "How fast does it train?", _rate_row, _RATES),
        (MEMORY, "What does a replica take?", _memory_row, _MEMORY),
        (PRECISION, "What do fewer digits change?", _precision_row, _PRECISION),
    ):
        rows = [row(entry) for _, entry in tables[file].astype(object).iterrows()]
        shapes += [Table(rows, title=title, text=_TEXT), legend(text)] if rows else []
    if bad:
        told = [{"measurement": one.name, "status": one.status, "why": one.message} for one in bad]
        shapes.append(Table(told, title="What could not be measured", text=_TEXT, folded=("why",)))
    if missing:
        shapes.append(Remark(f"Not measured yet: {len(missing)} of the survey, beginning with {missing[0]}."))
    return [*shapes, Remark(f"Device: {device}.{'' if has_gpu else ' No GPU was measured.'}")]


def _agreement_row(row: "pd.Series[Any]") -> dict[str, str]:
    return {
        "model": row["model"],
        "compared with": row["compared_with"],
        "step": row["way"],
        "predictions": f"{row['predictions_apart']:.1e}",
        "errors": f"{row['errors_apart']:.1e}",
        "agrees": "yes" if row["agrees"] else "NO",
    }


def _rate_row(row: "pd.Series[Any]") -> dict[str, str]:
    return {
        "model": row["model"],
        "who": row["who"],
        "replicas": str(row["replicas"]),
        "batch": str(row["batch_size"]),
        "step": row["way"],
        "molecules/s": f"{row['molecules_per_second']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]",
        "begin s": f"{row['begin_seconds']:.1f}",
        "standard h": f"{row['standard_hours']:.2f}" if pd.notna(row["standard_hours"]) else "",
    }


def _memory_row(row: "pd.Series[Any]") -> dict[str, str]:
    return {
        "model": row["model"],
        "batch": str(row["batch_size"]),
        "predicted MB": f"{row['predicted_mb']:,.1f}",
        "measured MB": f"{row['measured_mb']:,.1f}",
        "ratio": f"{row['ratio']:.2f}",
    }


def _precision_row(row: "pd.Series[Any]") -> dict[str, str]:
    known = pd.notna(row["change"])
    return {
        "model": row["model"],
        "precision": row["precision"],
        "error": f"{row['error_mean']:.4f} ± {row['error_std']:.4f} {row['unit']}",
        "change": f"{row['change']:+.4f}" if known else "",
        "of std": f"{row['change_over_std']:.2f}" if known else "",
        "molecules/s": f"{row['molecules_per_second']:,.0f}",
    }
