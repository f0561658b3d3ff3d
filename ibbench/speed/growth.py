"""How the time of training grows: with the batch, the width, the replicas and the molecules."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from ibbench.options.compose import compose_config
from ibbench.run.plan import Point, plan
from ibbench.speed.columns import GROWTH_COLUMNS
from ibbench.speed.contestants import Ours
from ibbench.speed.measure import Rate
from ibbench.training.device import peak_memory_mb, reset_peak_memory

_WARM_UP = 3  # steps
SIZES = (1_000, 3_162, 10_000, 31_623, 100_000)  # molecules, evenly spaced on a logarithmic scale
_VARIED = {
    "batch_size": [(size, [f"trainer.batch_size={size}"]) for size in (16, 32, 64, 128, 256)],
    "width": [(width, ["budget=null", f"model.width={width}"]) for width in (32, 64, 128, 256)],
    "replicas": [(count, [f"seeds=[{','.join(map(str, range(count)))}]"]) for count in (1, 2, 4, 8)],
}


def sweep(overrides: Sequence[str], repeats: int, seconds: float) -> pd.DataFrame:
    """Time training at several batch sizes, widths and numbers of replicas, and epochs at several train sizes.

    One process with a thread per core trains.

    Args:
        overrides: options of the config, with one model.
        repeats: the number of timings of each value.
        seconds: how long a timing should take; an epoch is always timed as a whole.

    Returns:
        A row per value, with `GROWTH_COLUMNS`; `epoch_seconds` is given for train sizes.
    """
    return pd.DataFrame(list(_rows(overrides, repeats, seconds)), columns=list(GROWTH_COLUMNS))


def _rows(overrides: Sequence[str], repeats: int, seconds: float) -> Iterator[dict[str, object]]:
    device = torch.device("cpu")
    # `trainer.compile=auto` would compile the large sizes and not the small ones.
    compiled = plan(compose_config(overrides)).resolved.trainer.compile
    overrides = [*overrides, f"trainer.compile={str(compiled).lower()}"]
    for varied, values in _VARIED.items():
        for value, override in values:
            reset_peak_memory(device)
            point = plan(compose_config([*overrides, *override]))
            ours = _build(point)
            steps = _steps_in(ours, seconds)
            rate = Rate.of([steps * ours.molecules_per_step("train") / ours.train(steps) for _ in range(repeats)])
            yield _row(point.config.model.name, varied, value, rate, peak_memory_mb(device))
    for size in SIZES:
        reset_peak_memory(device)
        point = plan(compose_config([*overrides, f"data.train_size={size}"]))
        ours = _build(point)
        num_steps = math.ceil(size / point.config.trainer.batch_size)
        ours.train(_WARM_UP)
        times = [ours.train(num_steps) for _ in range(repeats)]
        rate = Rate.of([num_steps * ours.molecules_per_step("train") / spent for spent in times])
        row = _row(point.config.model.name, "train_size", size, rate, peak_memory_mb(device))
        yield row | {"epoch_seconds": float(np.median(times))}


def _build(point: Point) -> Ours:
    return Ours(point, point.config.num_replicas, bool(point.resolved.trainer.compile))


def _steps_in(ours: Ours, seconds: float) -> int:
    """Return how many steps take about `seconds`, from a short timing."""
    ours.train(_WARM_UP)
    return max(1, round(seconds / (ours.train(_WARM_UP) / _WARM_UP)))


def _row(model: str, varied: str, value: int, rate: Rate, memory: float) -> dict[str, object]:
    figures = dict(zip(("molecules_per_second", "low", "high"), rate, strict=True))
    return {"model": model, "varied": varied, "value": value, **figures, "peak_memory_mb": memory}


def growth_exponent(rows: pd.DataFrame) -> float:
    """Fit p in `seconds of an epoch ~ (number of molecules)^p`, by least squares of the logarithms; 1 is linear.

    Args:
        rows: the rows of `sweep` of one model whose `varied` is `train_size`.
    """
    slope, _ = np.polyfit(np.log(rows["value"].astype(float)), np.log(rows["epoch_seconds"].astype(float)), 1)
    return float(slope)
