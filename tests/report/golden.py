"""What commands print and write of the fixture studies, kept in `golden/`; `python -m tests.report.golden` renews it.

The fixtures are real trainings, tiny ones, as an older version recorded them. In a golden file a figure of JSON and CSV
has six digits, and a table has no checksums: those belong to the files on disk and not to what people read.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch
import typer
from rich.console import Console

import ibbench.terminal
from ibbench.cli import app
from ibbench.errors import InputError

HERE = Path(__file__).parent
FIXTURES, GOLDEN = HERE / "fixtures", HERE / "golden"
STUDIES = ("curve", "ladder", "tuned", "mixed")
FILES = [  # commands that write files beside the runs of a study
    *(f"table results/{study}" for study in STUDIES),
    *(f"worth results/{study}" for study in ("curve", "ladder")),
    "worth results/curve --by seconds",
    "speed --sweep",
]
_BOTH = (80, 200)
_PAGE = (200,)
SCREENS: dict[str, tuple[str, tuple[int, ...]]] = {  # what is printed, at these widths
    **{f"table_{study}": (f"table results/{study}", _BOTH) for study in STUDIES},
    **{f"worth_{study}": (f"worth results/{study}", _BOTH) for study in ("curve", "ladder")},
    "table_md": ("table results/mixed --format md", _PAGE),
    "table_csv": ("table results/mixed --format csv", _PAGE),
    **{
        f"table_{study}_{style}": (f"table results/{study} --format {style}", _PAGE)
        for study in ("tuned", "mixed")
        for style in ("latex", "json")
    },
    "table_chosen": ("table results/tuned --target mu --sort=-mae_mean --relative-to mlp", _BOTH),
    "table_chosen_md": ("table results/tuned --format md --target mu --sort=-mae_mean --relative-to mlp", _PAGE),
    "table_chosen_json": ("table results/tuned --format json --target mu", _PAGE),
    "table_style": ("table results/curve --format text", _PAGE),
    "worth_at": ("worth results/curve --at 80", _BOTH),
    "worth_seconds": ("worth results/curve --by seconds", _BOTH),
    "worth_mixed": ("worth results/mixed", _PAGE),
    "diff": ("diff results/ladder results/mixed --fail-on change", _BOTH),
    "diff_md": ("diff results/ladder results/mixed --format md", _PAGE),
    "diff_json": ("diff results/ladder results/mixed --format json --fail-on change", _PAGE),
    "diff_tuned": ("diff results/ladder results/tuned", _BOTH),
    "diff_tuned_md": ("diff results/ladder results/tuned --format md", _PAGE),
    "diff_nothing": ("diff results/tuned results/curve", _PAGE),
    "diff_same_md": ("diff results/curve results/curve --format md", _PAGE),
    "diff_style": ("diff results/curve results/curve --format latex", _PAGE),
    "status": ("status results/mixed", _BOTH),
    "status_all": ("status results/mixed --all", _BOTH),
    "status_done": ("status results/curve", _PAGE),
    "models": ("models budget.value=50000", _BOTH),
    "targets": ("targets", _BOTH),
    "data_info": ("data info", _BOTH),
    "data_one": ("data show 13", _BOTH),
    "data_methane": ("data show 0", _PAGE),
    "data_unknown": ("data show CCCCCCCCCCCCCCC", _PAGE),
    "speed": ("speed --sweep", _BOTH),
}


def run(command: str, folder: Path, width: int = 200, colours: bool = False) -> str:
    """Run a command in a folder with the fixtures as its `results/`; return what it prints, and its exit code."""
    if not (folder / "results").exists():
        shutil.copytree(FIXTURES, folder / "results", ignore=shutil.ignore_patterns("*.csv"))
        shutil.rmtree(folder / "results" / "mixed" / "runs" / "gnn-045a3e8905")  # so that one is missing
        for number, agenda in enumerate(sorted(folder.glob("results/*/runs/agenda-*.json"))):
            os.utime(agenda, (number, number))  # git does not keep when they were written, which orders them
    console = Console(
        file=io.StringIO(),
        width=width,
        markup=False,
        force_terminal=colours,
        color_system="standard" if colours else None,
    )
    with contextlib.chdir(folder), mock.patch.object(ibbench.terminal, "terminal", lambda: console), _timings():
        try:
            code = app(shlex.split(command), standalone_mode=False) or 0
        except InputError as error:
            code = f"2: {error}"
        except typer.Exit as left:
            code = left.exit_code
    return _comparable(console.file.getvalue(), "--format csv" in command, "json" in command) + f"exit code {code}\n"


def files(folder: Path) -> dict[str, str]:
    """Run all commands that write files in a folder; return the files by study and name."""
    for command in FILES:
        run(command, folder)
    paths = [path for suffix in ("md", "csv") for path in sorted((folder / "results").glob(f"*/*.{suffix}"))]
    return {
        path.relative_to(folder / "results").as_posix(): _comparable(path.read_text(), path.suffix == ".csv")
        for path in paths
    }


def _comparable(text: str, is_csv: bool = False, is_json: bool = False) -> str:
    """Leave out what is of this machine or of a file on disk, and the digits that another processor may change."""
    text = re.sub(r"\n<!-- check \w{8} -->\n", "", text)
    text = re.sub(r"cache: .*(\n.*MB\)|MB\)) *", "cache: somewhere", text)
    text = text.replace(torch.__version__, "1.2.3")
    if is_csv and text.partition("\n")[0].endswith(",check"):
        text = re.sub(r",[^,\n]*$", "", text, flags=re.MULTILINE)
    if is_csv or is_json:
        text = re.sub(r"-?\d+\.\d+(e-?\d+)?|(?<=,)-?\d+e-?\d+", lambda number: f"{float(number[0]):.6g}", text)
    return text


@contextlib.contextmanager
def _timings() -> Iterator[None]:
    """Let `ibbench speed` find the timings of a fixture rather than time anything."""
    table = pd.read_csv(FIXTURES / "speed.csv")
    growth = pd.DataFrame(
        {
            "model": "mlp",
            "varied": ["width", *["train_size"] * 3],
            "value": [32, 1000, 10_000, 100_000],
            "molecules_per_second": [91_234.0, 50_000.5, 50_100.0, 49_000.0],
            "low": [90_000.0, 49_000.0, 48_000.0, 47_000.0],
            "high": [92_000.0, 51_000.0, 52_000.0, 53_000.0],
            "epoch_seconds": [float("nan"), 0.02, 0.21, 2.3],
            "peak_memory_mb": [1234.0, 600.0, 610.0, 620.0],
        }
    )

    def measured(config: Any, *_: object) -> pd.DataFrame:
        return table[table["model"] == config.model.name]

    def swept(overrides: list[str], *_: object) -> pd.DataFrame:
        (model,) = (word.partition("=")[2] for word in overrides if word.startswith("model="))
        return growth.assign(model=model)

    with (
        mock.patch("ibbench.commands.speed.plan", lambda config: config),
        mock.patch("ibbench.commands.speed.measure", measured),
        mock.patch("ibbench.commands.speed.sweep", swept),
        mock.patch("ibbench.commands.speed.describe_device", lambda _: "cpu (of the golden files)"),
    ):
        yield


def _renew() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        for path, text in files(Path(name)).items():
            (GOLDEN / "files" / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / "files" / path).write_text(text)
    (GOLDEN / "screens").mkdir()
    for name, width, colours in screens():
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / "screens" / file_name(name, width, colours)).write_text(
                run(SCREENS[name][0], Path(folder), width, colours)
            )


def screens() -> list[tuple[str, int, bool]]:
    """List what is printed: the name of a command, the width, and whether in colours."""
    plain = [(name, width, False) for name, (_, widths) in SCREENS.items() for width in widths]
    return [*plain, *((name, 100, True) for name in ("table_mixed", "worth_ladder", "diff", "status", "speed"))]


def file_name(name: str, width: int, colours: bool) -> str:
    """Name the golden file of what is printed."""
    return f"{name}_{width}{'_in_colours' if colours else ''}.txt"


if __name__ == "__main__":
    os.environ.setdefault("IBBENCH_CACHE", str(Path.home() / ".cache" / "ibbench"))
    _renew()
