"""The models: one inductive bias per file, one recipe for all."""

import pkgutil

STANDARD_MODELS = (
    "mlp",
    "deep_sets",
    "gnn",
    "graph_transformer",
)  # from no assumption to content-dependent weights


def model_names() -> list[str]:
    """List the models, which are the files of this folder: the standard four first, then the others by name."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg} - {"registry"}
    return [*STANDARD_MODELS, *sorted(found - set(STANDARD_MODELS))]
