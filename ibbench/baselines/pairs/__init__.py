"""Baselines that are a pair: a representation made by hand and a regression, such as `morgan+kernel_ridge`.

Every file of `representations/` can be paired with every file of `regressors/`. A number between them, as in
`morgan:16+ridge`, gives the regression the first 16 principal components in the place of the vectors. A pair is fitted
only if the config asks for it. Neither this module nor the names need torch, RDKit or scikit-learn.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from ibbench.baselines.regressors import get_regressor, regressor_names
from ibbench.baselines.representations import get_representation, representation_names
from ibbench.errors import InputError, suggest

if TYPE_CHECKING:
    from ibbench.baselines import Baseline

JOINT = "+"
COMPRESSED = ":"  # stands before the number of principal components
FORMAT = 1  # raise it when a pair gives other predictions from the same vectors: those in the cache are then not used


class Parts(NamedTuple):
    """What the name of a pair says.

    Attributes:
        representation: name of the representation.
        components: number of principal components that the regression is given; None for the vectors as they are.
        regressor: name of the regression.
    """

    representation: str
    components: int | None
    regressor: str

    @property
    def whole(self) -> str:
        """The name of the pair without principal components."""
        return f"{self.representation}{JOINT}{self.regressor}"


def split_pair(name: str) -> Parts:
    """Return the parts of the name of a pair, such as `morgan:16+ridge`; they need not be known here.

    A name that does not have this form is read as far as possible: `check_pair` refuses it.
    """
    first, _, regressor = name.partition(JOINT)
    representation, _, count = first.partition(COMPRESSED)
    return Parts(representation, int(count) if re.fullmatch("[1-9][0-9]{0,8}", count) else None, regressor)


@functools.cache
def pair_names() -> tuple[str, ...]:
    """List the names of all pairs without principal components; representations that know less come first."""
    return tuple(f"{one}{JOINT}{other}" for one in _in_order() for other in regressor_names())


def _in_order() -> list[str]:
    """List the representations that read graphs first, since coordinates tell more."""
    return sorted(representation_names(), key=lambda name: (get_representation(name).reads == "geometry", name))


def ignored_by_pair(name: str) -> frozenset[str]:
    """Return the options of the data that cannot change a pair's predictions, beside those that no baseline sees."""
    representation = split_pair(name).representation
    reads_features = representation in representation_names() and get_representation(representation).reads == "graph"
    return frozenset() if reads_features else frozenset({"data.features"})


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
    first, marked, count = parts[0].partition(COMPRESSED)
    for part, names, kind in (
        (first, representation_names(), "representation"),
        (parts[1], regressor_names(), "regression"),
    ):
        if part not in names:
            raise InputError(f"'baselines=[{name}]' is not possible: `{part}` is not a {kind}: {suggest(part, names)}")
    if marked and split_pair(name).components is None:
        raise InputError(
            f"'baselines=[{name}]' is not possible: `{count}` is no number of principal components: expected one of at "
            f"least 1, such as {first}{COMPRESSED}16{JOINT}{parts[1]}"
        )


def _first() -> str:
    return pair_names()[0]


@functools.cache
def get_pair(name: str) -> type[Baseline]:
    """Return the class of a pair.

    Args:
        name: the parts, such as `morgan+ridge` or `morgan:16+ridge`.

    Raises:
        InputError: see `check_pair`.
    """
    from ibbench.baselines.pairs.pair import Pair

    check_pair(name)
    named = split_pair(name)
    representation, regressor = get_representation(named.representation), get_regressor(named.regressor)
    parts = {
        "name": name,
        "ignores": Pair.ignores | ignored_by_pair(name),
        "representation": representation,
        "regressor": regressor,
        "most_labels": regressor.most_labels,
    }
    return type("Pair", (Pair,), parts)
