"""The models: one inductive bias per file, one recipe for all."""

import pkgutil

from ibbench.plugins.load import plugin_names

STANDARD_MODELS = (
    "mlp",
    "deep_sets",
    "gnn",
    "graph_transformer",
)  # from no assumption to content-dependent weights


def model_names() -> list[str]:
    """List the models: those of this folder, and then those of plugins."""
    return [*built_in_models(), *plugin_names("model")]


def built_in_models() -> list[str]:
    """List the models that are files of this folder: the standard four first, then the others by name."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg} - {"registry"}
    return [*STANDARD_MODELS, *sorted(found - set(STANDARD_MODELS))]
