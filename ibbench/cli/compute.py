"""Commands that compute: train, speed, probe, predict, explain."""

from pathlib import Path
from typing import Annotated

import typer

from ibbench.cli.app import TAKES_OVERRIDES, app
from ibbench.cli.arguments import Overrides, Plugins, Quiet, StudyOrRun, complete_either, complete_probe
from ibbench.errors import needs_extra
from ibbench.options.words import Geometry, Outside, PredictFormat


@app.command(context_settings=TAKES_OVERRIDES | {"help_option_names": []})
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
def speed(
    overrides: Overrides = None,
    repeats: Annotated[int, typer.Option(help="Timings of each contestant, in turn")] = 5,
    seconds: Annotated[float, typer.Option(help="How long one timing should take")] = 1.0,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Other batch sizes, widths, replicas and train sizes too")
    ] = False,
    peer: Annotated[
        Outside | None,
        typer.Option(
            help="Time that package's whole command and `ibbench train` to the same error", show_default=False
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Time training and prediction beside the same models out of PyTorch Geometric's parts."""
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    if peer:
        from ibbench.commands.speed_outside import show_outside

        return show_outside(overrides or [], peer, terminal())
    try:
        from ibbench.commands.speed import show_speed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch_geometric":
            raise
        raise needs_extra("PyTorch Geometric, which `ibbench speed` compares with,", "pyg") from None
    return show_speed(overrides or [], repeats, seconds, sweep, terminal())


@app.command()
def survey(
    overrides: Overrides = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so many minutes; the same command goes on", show_default=False)
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="Tiny sizes: see that it works, measure nothing")] = False,
    standard: Annotated[
        bool, typer.Option("--standard", help="Then train experiment=standard in the time that is left")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a GPU: is it right, how fast, how much memory does a replica take? e.g. device=cuda."""
    from ibbench.commands.survey import survey_device
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    survey_device(overrides or [], minutes, small, standard, terminal())


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
    probes: Annotated[
        list[str] | None,
        typer.Option("--probe", help="Measure this only, such as kernel,floor", autocompletion=complete_probe),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="[init|trained|init,trained]", help="Weights to look at: init by default"),
    ] = None,
    along: Annotated[bool, typer.Option("--along", help="Train again, and look at weights on the way, too")] = False,
    molecules: Annotated[int, typer.Option(help="The most molecules to look at")] = 1000,
    foretell: Annotated[bool, typer.Option("--foretell", help="Rank the models before any training")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the probes, measure nothing")] = False,
    plugins: Plugins = None,
    quiet: Quiet = False,
) -> None:
    """Measure a bias itself: what it cannot see, which symmetries it has, which labels it finds likely untrained."""
    from ibbench.commands.probe import list_probes, show_probes
    from ibbench.options.words import split_words
    from ibbench.plugins.load import load_plugins
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    pinned = load_plugins(split_words(plugins))
    if listed:
        list_probes(terminal())
    else:
        moments = [*(at or []), *(["along"] if along else [])]
        show_probes(what or [], probes, moments, molecules, foretell, terminal(), pinned)


@app.command()
def predict(
    folder: StudyOrRun,
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
    plugins: Plugins = None,
    quiet: Quiet = False,
) -> None:
    """Predict molecules by their SMILES, and say what not to trust; exit with 1 if some have no prediction."""
    from ibbench.commands.predict import Request, show_predictions
    from ibbench.terminal import be_quiet, terminal

    be_quiet(quiet)
    asked = Request(
        folder, smiles or (), given, column, output, overwrite, model or (), style, geometry, device, plugins or ()
    )
    if not show_predictions(asked, terminal()):
        raise typer.Exit(1)


@app.command()
def explain(
    folder: StudyOrRun,
    smiles: Annotated[str, typer.Argument(metavar="[SMILES]", help="A molecule, such as CCO", show_default=False)] = "",
    molecules: Annotated[
        int, typer.Option(help="Compare attention and occlusion on as many test molecules", show_default=False)
    ] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Write tables and pictures to a folder", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there")] = False,
    model: Annotated[list[str] | None, typer.Option(help="Look into this model only, such as mlp,gat")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Look at this target only, such as gap,mu")] = None,
    geometry: Annotated[
        Geometry | None, typer.Option(help="Coordinates from RDKit for models that need them", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
    plugins: Plugins = None,
) -> None:
    """Show which atoms models look at, by occlusion and attention, and say whether the two agree."""
    from ibbench.commands.explain import Request, show_explanation
    from ibbench.options.words import split_words
    from ibbench.plugins.load import load_plugins
    from ibbench.terminal import terminal

    load_plugins(split_words(plugins))
    asked = Request(folder, smiles, molecules, model or (), target or (), output, overwrite, geometry, device)
    if not show_explanation(asked, terminal()):
        raise typer.Exit(1)
