"""Baselines that are a pair: a representation made by hand and a regression, such as `morgan+kernel_ridge`.

Every file of `representations/` can be paired with every file of `regressors/`. A pair is fitted only if the config
asks for it. Neither this module nor the names need torch, RDKit or scikit-learn.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ibbench.baselines.regressors import get_regressor, regressor_names
from ibbench.baselines.representations import get_representation, representation_names
from ibbench.errors import InputError, suggest

if TYPE_CHECKING:
    from ibbench.baselines import Baseline

JOINT = "+"
FORMAT = 1  # raise it when a pair gives other predictions from the same vectors: those in the cache are then not used


@functools.cache
def pair_names() -> tuple[str, ...]:
    """List the names of all pairs, from representations that know less to those that know more."""
    return tuple(f"{one}{JOINT}{other}" for one in _in_order() for other in regressor_names())


def _in_order() -> list[str]:
    """List the representations that read SMILES first, since coordinates tell more."""
    return sorted(representation_names(), key=lambda name: (get_representation(name).reads == "geometry", name))


def is_pair(name: str) -> bool:
    """Whether a name is that of a pair, whose two parts need not be known here."""
    return JOINT in name


def check_pair(name: str) -> None:
    """Check that both parts of a pair are known.

    Raises:
        InputError: a part is not known; the message names the most similar.
    """
    parts = name.split(JOINT)
    if len(parts) != 2:
        raise InputError(
            f"'baselines=[{name}]' is not possible: expected REPRESENTATION+REGRESSION, such as {_first()}"
        )
    for part, names, kind in zip(
        parts, (representation_names(), regressor_names()), ("representation", "regression"), strict=True
    ):
        if part not in names:
            raise InputError(f"'baselines=[{name}]' is not possible: `{part}` is not a {kind}: {suggest(part, names)}")


def _first() -> str:
    return pair_names()[0]


@functools.cache
def get_pair(name: str) -> type[Baseline]:
    """Return the class of a pair.

    Args:
        name: the two parts, such as `morgan+ridge`.

    Raises:
        InputError: see `check_pair`.
    """
    from ibbench.baselines.pairs.pair import Pair

    check_pair(name)
    first, second = name.split(JOINT)
    representation, regressor = get_representation(first), get_regressor(second)
    parts = {
        "name": name,
        "representation": representation,
        "regressor": regressor,
        "most_labels": regressor.most_labels,
    }
    return type("Pair", (Pair,), parts)
