"""The order of targets and of models in tables."""

import functools
import math

from ibbench.baselines import ordered_names
from ibbench.baselines.pairs import is_pair, split_pair
from ibbench.baselines.reconstruction import is_reconstruction, num_components
from ibbench.data.targets import QM9_ATOM_TARGETS, QM9_TARGETS
from ibbench.models import built_in_models


def target_order(target: str) -> tuple[int, str]:
    """Return a sort key: the targets of QM9 in their usual order, then all others by name."""
    return _place(target, (*QM9_TARGETS, *QM9_ATOM_TARGETS))


def model_order(model: str) -> tuple[int, str]:
    """Return a sort key: baselines first, then models from the fewest assumptions to the most, then others by name.

    A pair that compresses its vectors stands before the one that does not, with fewer principal components first.
    Principal components that restore molecules stand behind the other baselines, fewer before more.
    """
    if is_pair(model) and (parts := split_pair(model)).components:
        return _place(parts.whole, _models())[0], f"{parts.components:09d}"
    if is_reconstruction(model):
        return len(ordered_names()) - 1, f"~{num_components(model):06}"  # `~` is behind all letters
    return _place(model, _models())


def variant_order(variant: str) -> tuple[tuple[str, float, str], ...]:
    """Return a sort key for the variants of a model: option by option, numbers by their size and before all words.

    Args:
        variant: options as a command line has them, such as `model.depth=4 data.split=random`.
    """
    return tuple(_option_order(option) for option in variant.split(" "))


def _option_order(option: str) -> tuple[str, float, str]:
    name, _, value = option.partition("=")
    try:
        return name, float(value), value
    except ValueError:
        return name, math.inf, value


@functools.cache
def _models() -> tuple[str, ...]:
    return (*ordered_names(), *built_in_models())


def _place(name: str, names: tuple[str, ...]) -> tuple[int, str]:
    return (names.index(name) if name in names else len(names), name)
