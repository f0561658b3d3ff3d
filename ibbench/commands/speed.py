"""`ibbench speed`: timings of the models of a config, printed and written as tables."""

from collections.abc import Sequence

import pandas as pd
import torch
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS
from ibbench.options.compose import compose_config, expand
from ibbench.options.typed import as_hydra_reads
from ibbench.record.folder import TABLE, TABLE_TEXT, study_folder
from ibbench.record.tables import write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Remark
from ibbench.report.speed import brief, page
from ibbench.run.plan import plan
from ibbench.speed.growth import sweep
from ibbench.speed.measure import measure
from ibbench.terminal import mention
from ibbench.training.device import describe_device
from ibbench.training.step import compiler


def show_speed(overrides: Sequence[str], repeats: int, seconds: float, with_sweep: bool, console: Console) -> None:
    """Time each model of the config, print the table, and write `table.csv` and `table.md` (and `sweep.csv`).

    Args:
        overrides: options of the config; `model=a,b` chooses models.
        repeats: the number of timings of each contestant.
        seconds: the time that one timing should take, in seconds.
        with_sweep: whether to time other sizes as well.
        console: the terminal to print on.

    Raises:
        InputError: the config is not possible, it has a device other than the CPU, a target of atoms or a step of
            several passes, or a number is too small.
    """
    if repeats < 1 or not seconds > 0:
        raise InputError("--repeats must be at least 1 and --seconds above 0")
    defaults = [f"model={','.join(STANDARD_MODELS)}", "name=speed", "device=cpu"]
    if compiler():
        defaults.append("trainer.compile=true")  # trainings that take long are compiled, so these are timed
    points = expand([*defaults, *as_hydra_reads(overrides)])
    configs = [compose_config(point) for point in points]
    if any(config.device != "cpu" for config in configs):
        raise InputError("`ibbench speed` times the CPU: expected device=cpu")
    if any(config.passes_per_step > 1 for config in configs):
        raise InputError(
            "`ibbench speed` compares steps that meet their batch once: expected another optimizer than sam, and no "
            "symmetry penalty"
        )
    tables, sweeps = [], []
    for config, point in zip(configs, points, strict=True):
        mention(f"timing {config.model.name}")
        tables.append(measure(plan(config), repeats, seconds))
        if with_sweep:
            sweeps.append(sweep(point, repeats, seconds))
    table = pd.concat(tables, ignore_index=True)
    growth = pd.concat(sweeps, ignore_index=True) if sweeps else None
    folder = study_folder(configs[0])
    made_with = f"{describe_device(torch.device('cpu'))}; torch {torch.__version__}"
    files = {TABLE: to_csv(table), TABLE_TEXT: markdown.write(page(folder.name, table, growth, made_with))}
    if growth is not None:
        files["sweep.csv"] = to_csv(growth)
    write_tables(folder, files)
    screen.show([*brief(table, growth), Remark(f"Written to {folder}: {', '.join(files)}")], console, fold=False)
