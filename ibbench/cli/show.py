"""Commands that show what there is: models, targets, data."""

from pathlib import Path
from typing import Annotated

import typer

from ibbench.cli.app import app
from ibbench.cli.arguments import Overrides, Quiet

data = typer.Typer(help="Build, describe and look at the data.", no_args_is_help=True)
app.add_typer(data, name="data")


@app.command()
def models(overrides: Overrides = None, quiet: Quiet = False) -> None:
    """List the models: what each assumes, and how many parameters it has."""
    from ibbench.commands.models import show_models
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    show_models(overrides or [], terminal())


@app.command("new-model")
def new_model(
    name: Annotated[str, typer.Argument(help="What to call it, such as mean_field", show_default=False)],
) -> None:
    """Write the file of a model of your own, which trains as it is, and a test of it, into this folder."""
    from ibbench.commands.new_model import write_model
    from ibbench.terminal import terminal

    write_model(name, Path(), terminal())


@app.command()
def targets() -> None:
    """List the targets of QM9 with symbol and unit."""
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
