"""The commands: read arguments, call one function, print. Heavy imports stand inside the commands."""

from pathlib import Path
from typing import Annotated

import typer

import ibbench
from ibbench.arguments import AnyStudy, Commands, Overrides, Quiet, complete_either, complete_study
from ibbench.errors import InputError, leave, needs_extra
from ibbench.options.words import Axis, DiffFormat, FailOn, Geometry, PredictFormat, TableFormat

app = typer.Typer(
    cls=Commands,
    help="How much is an architectural assumption worth? Inductive biases compared on the 19 targets of QM9.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Build, describe and look at the data.", no_args_is_help=True)
app.add_typer(data, name="data")

_TAKES_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ibbench {ibbench.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command(context_settings=_TAKES_OVERRIDES | {"help_option_names": []})
def train(
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the points and their cost, start nothing")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the jobs of a cluster")] = False,
    quiet: Quiet = False,
) -> None:
    """Train and compare models: every option of the config, e.g. model=gnn,mlp 'targets=[gap,mu]'."""
    from ibbench.commands.train import run_sweep

    run_sweep(overrides or [], dry_run, detach, quiet)


@app.command()
def status(
    study: AnyStudy,
    everything: Annotated[bool, typer.Option("--all", help="List the runs that are done, too")] = False,
) -> None:
    """Say which runs of a study are done, running, stopped, failed or missing; exit with 1 unless all are done."""
    from ibbench.commands.status import show_status
    from ibbench.terminal import terminal

    if not show_status(study, terminal(), everything):
        raise typer.Exit(1)


@app.command()
def table(
    study: AnyStudy,
    style: Annotated[TableFormat, typer.Option("--format", help="How it is printed")] = TableFormat.TERMINAL,
    target: Annotated[list[str] | None, typer.Option(help="Show this target only; may be repeated")] = None,
    sort: Annotated[
        str | None, typer.Option(help="Sort rows by a column of table.csv; -COLUMN for descending order")
    ] = None,
    relative_to: Annotated[str | None, typer.Option(help="Show ratios to this model, not to the best")] = None,
    relevance: Annotated[float, typer.Option(help="Show verdicts by this relative difference that matters")] = 0.01,
) -> None:
    """Rebuild the tables of a study, and print one with its verdicts; exit with 1 if runs of the study are missing."""
    from ibbench.commands.table import tabulate
    from ibbench.terminal import terminal

    if not tabulate(study, terminal(), style, target, sort, relative_to, relevance).is_whole:
        raise typer.Exit(1)


@app.command()
def diff(
    a: Annotated[
        str, typer.Argument(metavar="A", help="The old side", show_default=False, autocompletion=complete_study)
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The new side", show_default=False, autocompletion=complete_study)
    ],
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 on a regression, also on an unproven one, on any change, or never")
    ] = FailOn.NEVER,
    relevance: Annotated[float, typer.Option(help="Relative difference of two MAEs that does not matter")] = 0.01,
    tolerance: Annotated[
        float, typer.Option(help="Relative change of an MAE that counts as none, where nothing can be tested")
    ] = 0.02,
    style: Annotated[DiffFormat, typer.Option("--format", help="How it is printed")] = DiffFormat.TERMINAL,
) -> None:
    """Compare two results, each a study folder, a table.csv, or REVISION:path of a git repository."""
    from ibbench.commands.diff import show_diff
    from ibbench.terminal import terminal

    if show_diff(a, b, terminal(), style, fail_on, tolerance, relevance):
        raise typer.Exit(1)


@app.command()
def worth(
    study: Annotated[
        Path,
        typer.Argument(help="A study of several train sizes", show_default=False, autocompletion=complete_study),
    ],
    by: Annotated[Axis, typer.Option(help="What is saved at the same error")] = Axis.LABELS,
    at: Annotated[float | None, typer.Option(help="The size at which it is told, such as 1000")] = None,
) -> None:
    """Say what assumptions are worth: labels to the same error, bits a label, and the steps of a ladder."""
    from ibbench.commands.worth import show_worth
    from ibbench.terminal import terminal

    if not show_worth(study, terminal(), by, at):
        raise typer.Exit(1)


@app.command()
def plot(
    study: AnyStudy,
    by: Annotated[Axis, typer.Option(help="What learning curves are drawn along")] = Axis.LABELS,
) -> None:
    """Draw learning curves, the ladder, error against cost, and predictions, as PNG and SVG in the study's folder."""
    from ibbench.commands.plot import show_plots
    from ibbench.terminal import terminal

    if not show_plots(study, terminal(), by):
        raise typer.Exit(1)


@app.command()
def speed(
    overrides: Overrides = None,
    repeats: Annotated[int, typer.Option(help="Timings of each contestant, in turn")] = 5,
    seconds: Annotated[float, typer.Option(help="How long one timing should take")] = 1.0,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Other batch sizes, widths, replicas and train sizes too")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Time training and prediction beside the same models out of PyTorch Geometric's parts."""
    try:
        from ibbench.commands.speed import show_speed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch_geometric":
            raise
        raise needs_extra("PyTorch Geometric, which `ibbench speed` compares with,", "pyg") from None
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    show_speed(overrides or [], repeats, seconds, sweep, terminal())


@app.command()
def probe(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="A study, or options as `ibbench train` takes them",
            show_default=False,
            autocompletion=complete_either,
        ),
    ] = None,
    probes: Annotated[list[str] | None, typer.Option("--probe", help="Measure this only, such as kernel,floor")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="[init|trained|init,trained]", help="Weights to look at: init by default"),
    ] = None,
    molecules: Annotated[int, typer.Option(help="The most molecules to look at")] = 1000,
    foretell: Annotated[bool, typer.Option("--foretell", help="Rank the models before any training")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the probes, measure nothing")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a bias itself: what it cannot see, which symmetries it has, which labels it finds likely untrained."""
    from ibbench.commands.probe import list_probes, show_probes
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    if listed:
        list_probes(terminal())
    else:
        show_probes(what or [], probes, at or ["init"], molecules, foretell, terminal())


@app.command()
def predict(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY_OR_RUN",
            help="A study that is trained, or a run of it",
            show_default=False,
            autocompletion=complete_study,
        ),
    ],
    smiles: Annotated[list[str] | None, typer.Argument(metavar="SMILES", help="Molecules, such as CCO")] = None,
    given: Annotated[Path | None, typer.Option("--input", help="A CSV of molecules", show_default=False)] = None,
    column: Annotated[
        str | None,
        typer.Option("--smiles-column", help="Its column of SMILES, where that is not `smiles`", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write a CSV: the input's columns and the predictions", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there")] = False,
    model: Annotated[list[str] | None, typer.Option(help="Predict with this model only, such as mlp,gnn")] = None,
    style: Annotated[PredictFormat, typer.Option("--format", help="How it is printed")] = PredictFormat.TERMINAL,
    geometry: Annotated[
        Geometry | None, typer.Option(help="Coordinates from RDKit for models that need them", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Predict molecules by their SMILES, and say what not to trust; exit with 1 if some have no prediction."""
    from ibbench.commands.predict import Request, show_predictions
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    asked = Request(
        folder, smiles or (), given, column, output, overwrite, model or (), style, geometry=geometry, device=device
    )
    if not show_predictions(asked, terminal()):
        raise typer.Exit(1)


@app.command()
def models(overrides: Overrides = None, quiet: Quiet = False) -> None:
    """List the models: what each assumes, and how many parameters it has."""
    from ibbench.commands.models import show_models
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    show_models(overrides or [], terminal())


@app.command()
def targets() -> None:
    """List the 19 targets of QM9 with symbol and unit."""
    from ibbench.commands.targets import show_targets
    from ibbench.terminal import terminal

    show_targets(terminal())


@data.command()
def prepare(overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Build the data cache, or check the one that is there."""
    from ibbench.commands.data import prepare as build
    from ibbench.terminal import be_quiet

    be_quiet(quiet)
    build(overrides or [])


@data.command()
def info(overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Count the molecules, summarise each target, flag dead columns, and say where the cache is."""
    from ibbench.commands.data import show_dataset
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    show_dataset(overrides or [], terminal())


@data.command()
def show(
    molecule: Annotated[str, typer.Argument(help="An index (from 0) or a SMILES", show_default=False)],
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Show one molecule: atoms, bonds, features and targets."""
    from ibbench.commands.data import show_molecule
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    show_molecule(molecule, overrides or [], terminal())


def main() -> None:
    """Run the command line; bad input is one message and exit code 2."""
    from ibbench.terminal import lost_output, never_fail

    never_fail()
    try:
        app()
    except InputError as error:
        leave(error)
    except OSError as error:
        leave(InputError(str(error)))
    except SystemExit as end:
        lost = lost_output()
        if end.code or not lost:
            raise
        typer.echo(f"ibbench: the output could not be written: {lost.strerror}", err=True)
        raise SystemExit(1) from None
