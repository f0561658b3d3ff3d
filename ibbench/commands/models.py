"""`ibbench models`: the assumptions of each model, and its size."""

from rich.console import Console

from ibbench.commands.data import load
from ibbench.data.sources import open_source
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.compose import compose_config
from ibbench.options.extension import with_plugins
from ibbench.report import screen
from ibbench.report.document import Table


def show_models(overrides: list[str], console: Console) -> None:
    """Print all models with their assumptions and, at the budget of the config, their size.

    Args:
        overrides: options of the config.
        console: the terminal to print on.

    Raises:
        InputError: the config is not possible, names a model, or has a budget in seconds, which would have to be
            measured.
    """
    from ibbench.budget.cost import count_parameters
    from ibbench.budget.width import fit_to_budget
    from ibbench.models.registry import get_model

    if any(override.startswith("model=") for override in overrides):
        raise InputError("`ibbench models` lists all models: expected other options, such as budget.value=50000")
    rows, overrides = [], with_plugins(overrides)
    for name in model_names():
        config = compose_config([f"model={name}", *overrides])
        padding = open_source(config.data).padding() or load(overrides).molecules.padding
        budget, options = config.budget, config.model
        if budget and budget.match == "seconds":
            raise InputError("`ibbench models` measures nothing: expected budget.match=parameters or flops")
        if budget:
            options = fit_to_budget(padding, options, budget)
        rows.append(
            {
                "model": name,
                **get_model(name).assumptions(),
                "width": str(options.sizes[0]),
                "parameters": f"{count_parameters(padding, options):,}",
            }
        )
    folded = ("symmetries", "connectivity", "weights")
    screen.show([Table(rows, "Models: what each assumes, and its size", folded=folded)], console)
