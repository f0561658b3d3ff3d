"""`ibbench predict`: predictions of any molecules by the trained models of a study, and which of them not to trust."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from rich.console import Console

from ibbench.baselines.pairs import is_pair
from ibbench.compare.calibration import measure_runs
from ibbench.compare.ensembles import choose_ensembles
from ibbench.data.smiles_table import SmilesFile, SmilesRow, SmilesTable
from ibbench.errors import INTERRUPTED, InputError
from ibbench.files import open_atomically
from ibbench.options.words import Geometry, PredictFormat, split_words
from ibbench.plugins.load import load_plugins
from ibbench.report import json, markdown, screen
from ibbench.report.calibration import tell_coverage
from ibbench.report.predictions import Predicted, Tally, brief, content, csv_line, csv_rows, list_names, page, summarise
from ibbench.run.ensemble import Column, tell_unknown
from ibbench.run.forecast import Crew, forecast, list_columns, load_crew
from ibbench.run.interrupt import listening
from ibbench.terminal import LiveLine, warn

_COLUMN = "smiles"
_GEOMETRY = (
    "Coordinates are those of ETKDG, not optimised: a model that was trained on others, as QM9's are, errs more on them"
)
_SHOWN = 100  # rows on a terminal


class Request(NamedTuple):
    """The arguments of the command, as the user has typed them.

    Attributes:
        folder: the folder of a study or of a run.
        smiles: the molecules; none if they are in a file.
        input: a CSV of molecules; None if they are typed.
        column: the column of the CSV that has the SMILES; None for `smiles`.
        output: the CSV to write; None to print the predictions.
        overwrite: whether the output may replace a file.
        models: names of models, or of runs; several may be joined by commas. All models if there are none.
        style: the format of what is printed.
        geometry: the method that computes coordinates; None for no coordinates.
        device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.
        plugins: the plugins that the models come from; several may be joined by commas.
    """

    folder: Path
    smiles: Sequence[str] = ()
    input: Path | None = None
    column: str | None = None
    output: Path | None = None
    overwrite: bool = False
    models: Sequence[str] = ()
    style: PredictFormat = PredictFormat.TERMINAL
    geometry: Geometry | None = None
    device: str = "auto"
    plugins: Sequence[str] = ()


def show_predictions(asked: Request, console: Console) -> bool:
    """Predict molecules, and print the predictions or write them to a CSV.

    Args:
        asked: the arguments of the command.
        console: the terminal to print on.

    Returns:
        Whether all models have predicted all molecules, and no run of the study is missing.

    Raises:
        InputError: an argument is not possible. Nothing is written.
        SystemExit: with exit code 130, when a signal has asked to stop. Nothing is written.
    """
    _check(asked)
    plugins = load_plugins(split_words(asked.plugins))
    given = SmilesFile(asked.input, asked.column or _COLUMN) if asked.input else SmilesTable(asked.smiles)
    models = split_words(asked.models)
    chosen = choose_ensembles(asked.folder, models)
    crew = Crew(tuple(chosen.ensembles.items()), asked.device, asked.geometry, plugins)
    columns = list_columns(crew)
    names = list_names(columns)
    for name in names:
        if name in given.columns:
            raise InputError(f"{asked.input} has a column `{name}` already, which is to be written: rename it")
    ensembles = load_crew(crew)
    measured = {one.name: measure_runs(runs) for one, (_, runs) in zip(ensembles, crew.ensembles, strict=True)
                if not is_pair(one.name)}  # fmt: skip
    said = [*chosen.left_out, *tell_unknown(ensembles), *([_GEOMETRY] if asked.geometry else [])]
    said += tell_coverage(measured)
    tally = Tally(0 if asked.output or asked.style == "csv" else _SHOWN if asked.style == "terminal" else math.inf)
    try:
        with listening(), _open(asked, console) as write:
            if write:
                write(csv_line([*given.columns, *names]))
            for done in _predict(crew, given, tally, asked, console):
                if write:
                    write(csv_rows(done))
    except KeyboardInterrupt:
        warn("interrupted" + f": {asked.output} is not written" * bool(asked.output))
        raise SystemExit(INTERRUPTED) from None
    _tell(asked, tally, columns, said, console)
    return not tally.lacking and not chosen.left_out


def _check(asked: Request) -> None:
    """Refuse arguments that make no sense, or contradict each other, before anything is read."""
    if asked.smiles and asked.input:
        raise InputError(f"there are SMILES and `--input {asked.input}`: expected one of them")
    if not asked.smiles and not asked.input:
        raise InputError("there is nothing to predict: expected SMILES, such as CCO, or --input FILE.csv")
    if asked.column and not asked.input:
        raise InputError("`--smiles-column` has no meaning without --input FILE.csv")
    if asked.overwrite and not asked.output:
        raise InputError("`--overwrite` has no meaning without --output FILE.csv")
    if asked.output:
        _check_output(asked.output, asked)


def _check_output(output: Path, asked: Request) -> None:
    if asked.style not in {"terminal", "csv"}:
        raise InputError(f"`--output` writes a CSV: leave out --format {asked.style}, or print it and redirect that")
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"`--output {output}` is not possible: expected a file in a folder that is there")
    if asked.input and output.exists() and output.samefile(asked.input):
        raise InputError(f"`--output {output}` is the input: expected another file")
    if output.exists() and not asked.overwrite:
        raise InputError(f"{output} is there already: --overwrite replaces it")


@contextlib.contextmanager
def _open(asked: Request, console: Console) -> Iterator[Callable[[str], object] | None]:
    """Return a function that writes text of the CSV, or None if no CSV is wanted.

    A file appears under its name only when it is complete.
    """
    if asked.output:
        with open_atomically(asked.output) as file:
            yield lambda text: file.write(text.encode())
    elif asked.style == "csv":
        yield console.file.write
    else:
        yield None


def _predict(
    crew: Crew, given: SmilesTable, tally: Tally, asked: Request, console: Console
) -> Iterator[list[Predicted]]:
    """Predict chunk by chunk, so that only a few chunks of rows are in memory at a time."""
    to_smiles, to_rows = itertools.tee(given)
    chunks = forecast(crew, (row.smiles for row in to_smiles), given.num_rows)
    shown = console if asked.output or asked.style == "terminal" else Console(stderr=True, markup=False, emoji=False)
    with LiveLine(shown, "predicting", given.num_rows) as line:
        for chunk in chunks:
            rows: list[SmilesRow] = list(itertools.islice(to_rows, len(chunk.remarks)))
            yield tally.add(rows, chunk)
            is_last = tally.rows == given.num_rows
            if given.num_rows > len(chunk.remarks):
                line.show(tally.rows, f"{tally.rows:,} of {given.num_rows:,} molecules", is_last)


def _tell(asked: Request, tally: Tally, columns: list[Column], said: list[str], console: Console) -> None:
    if asked.style == "terminal" or asked.output:
        outcome = f"Written to {asked.output}" if asked.output else ""
        screen.show(brief(tally, columns, said, outcome), console, fold=False)
        return
    out: TextIO = console.file  # type: ignore[assignment]
    if asked.style == "csv":
        for line in (summarise(tally), *said):
            warn(line)
    elif asked.style == "md":
        out.write(markdown.write(page(tally, columns, said)))
    else:
        out.write(json.write(content(tally, columns, said)))
