"""`ibbench models`: what each model assumes, and its size."""

from rich.table import Table

from ibbench.commands.data import load
from ibbench.data.sources import open_source
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.compose import compose_config
from ibbench.terminal import narrow_table


def list_models(overrides: list[str]) -> Table:
    """Tabulate all models with their assumptions and, at the budget of the config, their size."""
    from ibbench.budget.cost import count_parameters
    from ibbench.budget.width import fit_to_budget
    from ibbench.models.registry import get_model

    text = ("model", "symmetries", "connectivity", "weights")
    shown = narrow_table("Models: what each assumes, and its size", text, ("width", "parameters"), text[1:])
    if any(override.startswith("model=") for override in overrides):
        raise InputError("`ibbench models` lists all models: expected other options, such as budget.value=50000")
    for name in model_names():
        config = compose_config([f"model={name}", *overrides])
        padding = open_source(config.data).padding() or load(overrides).molecules.padding
        budget, options = config.budget, config.model
        if budget and budget.match == "seconds":
            raise InputError("`ibbench models` measures nothing: expected budget.match=parameters or flops")
        if budget:
            options = fit_to_budget(padding, options, budget)
        shown.add_row(
            name,
            *get_model(name).assumptions().values(),
            str(options.sizes[0]),
            f"{count_parameters(padding.num_atoms, options):,}",
        )
    return shown
