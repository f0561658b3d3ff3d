"""`ibbench speed --peer`: the whole command of another package beside `ibbench train`, to the same error."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError
from ibbench.options.compose import compose_config, expand
from ibbench.options.typed import as_hydra_reads
from ibbench.options.words import Outside
from ibbench.record.folder import study_folder
from ibbench.record.tables import write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Remark
from ibbench.report.speed import outside_page
from ibbench.run.plan import plan
from ibbench.speed.outside import compare_commands, find_command
from ibbench.terminal import mention
from ibbench.training.device import describe_device


def show_outside(overrides: Sequence[str], peer: Outside, console: Console) -> None:
    """Time both commands, print the table, and write it.

    Args:
        overrides: options of the config, of one model with one target and one seed.
        peer: the other package.
        console: the terminal to print on.

    Raises:
        InputError: the command is not installed, the config is not possible, or a command failed.
    """
    command = find_command(peer)
    defaults = ["model=gnn", "name=speed", "device=cpu", "seeds=[0]", "data.train_size=10000", "trainer.epochs=50"]
    points = expand([*defaults, *as_hydra_reads(overrides)])
    if len(points) > 1:
        raise InputError("`--peer` compares one model: expected one value of each option")
    point = plan(compose_config(points[0]))
    if point.config.device != "cpu":
        raise InputError("`ibbench speed` times the CPU: expected device=cpu")
    table = compare_commands(point, points[0], command, mention)
    made_with = (
        f"{describe_device(torch.device('cpu'))}; torch {torch.__version__}; {peer.value} {_version(command, peer)}"
    )
    folder = study_folder(point.config)
    document = outside_page(f"{folder.name}: {peer.value}", table, made_with)
    files = {f"{peer.value}.csv": to_csv(table), f"{peer.value}.md": markdown.write(document)}
    write_tables(folder, files)
    screen.show([*document[1:], Remark(f"Written to {folder}: {', '.join(files)}")], console, fold=False)


def _version(command: str, peer: Outside) -> str:
    """Return the version of a package from the Python of its command, which need not be that of this process."""
    code = f"import importlib.metadata; print(importlib.metadata.version({peer.value!r}))"
    asked = [str(Path(command).parent / "python"), "-c", code]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "of unknown version"
