"""Commands that read studies: their state, tables, worth and pictures."""

from pathlib import Path
from typing import Annotated

import typer

from ibbench.cli.app import app
from ibbench.cli.arguments import AnyStudy, Quiet, complete_study
from ibbench.options.words import Axis, DiffFormat, FailOn, TableFormat, Tracker


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
def export(
    study: AnyStudy,
    to: Annotated[
        list[Tracker],
        typer.Option(metavar="[tensorboard|mlflow|wandb]", help="The tracker; may be repeated", show_default=False),
    ],
    output: Annotated[
        str | None,
        typer.Option(help="A folder for tensorboard and wandb, a data base for mlflow", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Show the runs of a study in TensorBoard, MLflow or W&B, as `log=[...]` does while they train."""
    from ibbench.commands.export import export_study
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    if not export_study(study, to, output, terminal()):
        raise typer.Exit(1)


@app.command()
def report(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help="A study, or the old side", show_default=False, autocompletion=complete_study
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="B",
            help="The new side: the page is of what differs",
            show_default=False,
            autocompletion=complete_study,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write; by default report.html in the study's folder", show_default=False),
    ] = None,
) -> None:
    """Write all of a study, or the diff of two, as one HTML page; exit with 1 if runs are missing."""
    from ibbench.commands.report import show_report
    from ibbench.terminal import terminal

    if not show_report(study, other, terminal(), output):
        raise typer.Exit(1)
