"""The command `ibbench` itself; the files beside this one add its commands."""

from typing import Annotated

import typer

import ibbench
from ibbench.cli.arguments import Commands

app = typer.Typer(
    cls=Commands,
    help="How much is an architectural assumption worth? Inductive biases compared on the 19 targets of QM9.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
TAKES_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


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
