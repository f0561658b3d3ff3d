"""Structure ablations: the same molecules with other bonds, or with their atoms' features elsewhere.

Each is a function of the data set alone, so that training, validation and test molecules, all models and all seeds
see the same altered molecules.
"""

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ibbench.data.layout import FEATURE_SETS, LAYOUTS, layout_of
from ibbench.data.molecules import Molecules

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet  # not imported when predicting

RANDOM_GRAPHS = frozenset({"rewired", "shuffled_features"})  # their outcome depends on a molecule's place in the data
_SWAPS_PER_BOND = 10  # attempts; enough for the rewired bonds to be independent of the true ones


@functools.lru_cache(maxsize=2)  # rewiring all of QM9 takes seconds, and every pack of a run asks for it
def altered_molecules(dataset: "DataSet", graph: str, features: str) -> Molecules:
    """Return all molecules of a data set, with the graph of `alter_graph` and the features of `hide_features`."""
    return hide_features(alter_graph(dataset.molecules, graph), features)


def hide_features(molecules: Molecules, features: str) -> Molecules:
    """Return molecules whose atoms have only some of their features; the columns of the others are zero.

    Args:
        molecules: `[M, ...]`.
        features: a name of `FEATURE_SETS`.
    """
    shown = shown_features(features, molecules.padding.num_features)
    return molecules if shown.all() else molecules._replace(atoms=molecules.atoms * shown.to(molecules.atoms.dtype))


def shown_features(features: str, num_features: int) -> Tensor:
    """Return which of the F features of an atom a set shows, bool `[F]`."""
    return torch.tensor([name in FEATURE_SETS[features] for name in LAYOUTS[layout_of(num_features)]])


def alter_graph(molecules: Molecules, graph: str) -> Molecules:
    """Return molecules with the graph that `data.graph` names.

    Args:
        molecules: `[M, ...]`.
        graph: `true` for the molecules as they are; `empty` for no bonds; `complete` for single bonds between all
            pairs of atoms; `untyped` for the true bonds, all as single ones; `rewired` for each molecule's bonds with
            their ends swapped at random, so that every atom keeps its number of neighbours (Maslov & Sneppen 2002,
            Science 296, 910); `shuffled_features` for the true bonds between atoms whose features are shuffled within
            the molecule.
    """
    if graph == "true":
        return molecules
    if graph == "shuffled_features":
        keys = torch.rand(molecules.mask.shape, generator=torch.Generator().manual_seed(0))
        return molecules._replace(atoms=molecules.relabel(random_order(molecules.mask, keys)).atoms)
    return molecules._replace(bonds=_alter_bonds(molecules, graph))


def _alter_bonds(molecules: Molecules, graph: str) -> Tensor:
    bonds, mask = molecules.bonds, molecules.mask
    if graph == "empty":
        return torch.zeros_like(bonds)
    if graph == "untyped":
        return (bonds != 0).to(bonds.dtype)
    if graph == "complete":
        pairs = mask[:, :, None] & mask[:, None] & ~torch.eye(mask.shape[1], dtype=torch.bool)
        return pairs.to(bonds.dtype)
    assert graph == "rewired"
    return torch.from_numpy(_rewire(bonds.numpy()))


def random_order(mask: Tensor, keys: Tensor) -> Tensor:
    """Return the order of the atoms of each molecule by ascending key, padding last, int64 `[*batch, N]`.

    Args:
        mask: true where there is an atom, bool `[*batch, N]`.
        keys: random numbers in [0, 1), `[*batch, N]`.
    """
    return keys.masked_fill(~mask, 1.0).argsort(-1)


def _rewire(bonds: np.ndarray) -> np.ndarray:
    """Swap ends of pairs of bonds at random, in all molecules at once: a-b and c-d become a-d and c-b."""
    random = np.random.RandomState(0)
    molecule, start, end = np.nonzero(np.triu(bonds))
    count = np.bincount(molecule, minlength=len(bonds))
    ends = np.zeros((len(bonds), count.max(initial=1), 2), dtype=np.int64)
    is_bond = np.arange(ends.shape[1]) < count[:, None]
    ends[is_bond] = np.stack([start, end], axis=1)
    rewired = bonds.copy()
    with_two = np.nonzero(count > 1)[0]
    for _ in range(_SWAPS_PER_BOND * ends.shape[1]):
        first, second = (random.randint(0, count[with_two]) for _ in range(2))
        (a, b), (c, d) = ends[with_two, first].T, ends[with_two, second].T
        flipped = random.rand(len(with_two)) < 0.5  # a bond has no direction
        c, d = np.where(flipped, d, c), np.where(flipped, c, d)
        apart = (a != c) & (a != d) & (b != c) & (b != d)
        free = (rewired[with_two, a, d] == 0) & (rewired[with_two, c, b] == 0)
        go = apart & free
        at, a, b, c, d = with_two[go], a[go], b[go], c[go], d[go]
        kinds = rewired[at, a, b], rewired[at, c, d]
        for x, y, kind in ((a, b, 0), (c, d, 0), (a, d, kinds[0]), (c, b, kinds[1])):
            rewired[at, x, y] = rewired[at, y, x] = kind
        ends[at, first[go]], ends[at, second[go]] = np.stack([a, d], axis=1), np.stack([c, b], axis=1)
    return rewired
