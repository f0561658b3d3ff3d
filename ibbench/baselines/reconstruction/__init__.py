"""Baselines that restore molecules: principal component analysis, `pca_8` with eight components.

They are fitted only if the config asks for them. Neither this module nor the names need torch.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from ibbench.errors import InputError

if TYPE_CHECKING:
    from ibbench.baselines import Baseline

_PCA = re.compile(r"pca_(0|[1-9]\d{0,5})")


def is_reconstruction(name: str) -> bool:
    """Whether a name is that of a baseline that restores molecules."""
    return _PCA.fullmatch(name) is not None


def num_components(name: str) -> int:
    """Return the number of components that the name of a baseline says, such as 8 for `pca_8`.

    Raises:
        InputError: it is not such a name.
    """
    found = _PCA.fullmatch(name)
    if found is None:
        raise InputError(f"'baselines=[{name}]' is not possible: expected a number of components, such as pca_8")
    return int(found[1])


@functools.cache
def get_reconstruction(name: str) -> type[Baseline]:
    """Return the class of a baseline that restores molecules.

    Raises:
        InputError: it is not the name of one.
    """
    from ibbench.baselines.reconstruction.pca import Pca

    return type("Pca", (Pca,), {"name": name, "num_components": num_components(name)})
