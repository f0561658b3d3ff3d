"""What the models of a study look at in some molecules: occlusion and attention of every model, target and seed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.probes.explain.hearing import attend, received
from ibbench.probes.explain.occlusion import occlude
from ibbench.run.batch import Batch
from ibbench.run.ensemble import Column, Ensemble
from ibbench.run.predict import Predictor

Floats = NDArray[np.float64]


class Look(NamedTuple):
    """What one model looks at in m molecules to predict one target.

    Figures are NaN where there is no atom, and for molecules that the model cannot predict.

    Attributes:
        column: the model, the target and its unit.
        seeds: the seeds of the model's S replicas.
        numbers: atomic numbers, int64 `[m, N]`; 0 where there is no atom.
        num_bonds: number of bonds of each atom, int64 `[m, N]`; 0 where there is no atom.
        change: change of the prediction when the features of an atom are hidden, in the target's unit, `[S, m, N]`; see
            `occlude`.
        attention: share of attention that an atom gets, averaged over layers, heads and attending atoms, `[S, m, N]`;
            None for models without attention.
        by_head: share of attention that an atom gets from each head, averaged over layers, `[S, m, H, N]`; None for
            models without attention. Heads of different seeds do not correspond to each other.
        pairs: weight with which an atom attends to another in each layer and head, the attending atom first,
            `[S, m, L, H, M, M]`, with a token in the last place; None unless it was asked for.
    """

    column: Column
    seeds: tuple[int, ...]
    numbers: NDArray[np.int64]
    num_bonds: NDArray[np.int64]
    change: Floats
    attention: Floats | None
    by_head: Floats | None
    pairs: Floats | None

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Whether each molecule can be predicted by the model, bool `[m]`."""
        return np.asarray(np.isfinite(self.change).any((0, 2)))


def look(ensemble: Ensemble, batch: Batch, targets: Sequence[str], with_pairs: bool = False) -> Iterator[Look]:
    """Measure occlusion and attention of a model that reads atoms, with all of its replicas.

    Args:
        ensemble: the replicas of the model.
        batch: the molecules, all readable, with coordinates where the model needs them.
        targets: short names of the targets to look at; other targets of the model are left out.
        with_pairs: whether to keep the attention weights between all pairs of atoms.

    Yields:
        One `Look` per target.
    """
    views: dict[Predictor, _View] = {}
    for column in ensemble.columns:
        if column.target in targets:
            replicas = ensemble.replicas(column.target)
            for predictor, _ in replicas.values():
                if predictor not in views:
                    views[predictor] = _View(predictor, batch)
            yield _look(column, {seed: (views[one], row) for seed, (one, row) in replicas.items()}, with_pairs)


class _View:
    """The molecules as the models of one run see them.

    Attributes:
        numbers: atomic numbers, int64 `[m, N]`; 0 where there is no atom.
        num_bonds: number of bonds of each atom, int64 `[m, N]`; 0 where there is no atom.
    """

    def __init__(self, predictor: Predictor, batch: Batch) -> None:
        molecules, places = batch.molecules(predictor.hydrogens, predictor.layout, "positions" in predictor.reads)
        faults = predictor.find_faults(molecules)
        able = ~(faults.too_large | faults.without_place)
        self._predictor, self._molecules, self._at = (
            predictor,
            molecules.select(able.nonzero().flatten()),
            places[able.numpy()],
        )
        self._unknown = faults.of_unknown_element[:, able].numpy()
        self._count = len(batch)
        numbers = molecules.atoms[..., ATOMIC_NUMBER].to(torch.int64) * molecules.mask
        self.numbers = _spread(numbers.numpy(), places, self._count, 0)
        self.num_bonds = _spread((molecules.bonds != 0).sum(-1).numpy(), places, self._count, 0)
        self._changes = occlude(predictor, self._molecules).numpy()

    def change(self, row: int) -> Floats:
        """Return the change of one replica's prediction when each atom is hidden, in the target's unit, `[m, N]`."""
        known = np.where(self._unknown[row][:, None], np.nan, self._changes[row])
        return _spread(known, self._at, self._count)

    def attention(self, row: int) -> tuple[Floats, Floats] | None:
        """Return for one replica the share of attention of each atom, `[m, L, H, N]`, and of pairs, `[m, L, H, M, M]`.

        None for a model without attention, or where it can predict none of the molecules.
        """
        weights = attend(self._predictor, self._molecules, row) if len(self._at) else None
        if weights is None:
            return None
        shares = received(weights, self._molecules.mask)
        return tuple(_spread(found.numpy(), self._at, self._count) for found in (shares, weights))  # type: ignore[return-value]


def _look(column: Column, replicas: dict[int, tuple[_View, int]], with_pairs: bool) -> Look:
    heard = [view.attention(row) for view, row in replicas.values()]
    attention = [found for found in heard if found is not None]
    of_layers = np.stack([shares for shares, _ in attention]) if attention else None
    first, _ = next(iter(replicas.values()))
    return Look(
        column=column,
        seeds=tuple(replicas),
        numbers=first.numbers,
        num_bonds=first.num_bonds,
        change=np.stack([view.change(row) for view, row in replicas.values()]),
        attention=None if of_layers is None else of_layers.mean((2, 3)),
        by_head=None if of_layers is None else of_layers.mean(2),
        pairs=np.stack([weights for _, weights in attention]) if attention and with_pairs else None,
    )


def _spread(found: NDArray, places: NDArray[np.int64], count: int, otherwise: float = np.nan) -> NDArray:
    """Return an array for all molecules, with the figures of some at their places, and a constant for the others.

    Args:
        found: figures of some molecules, `[k, ...]`.
        places: index of each of these among all molecules, `[k]`.
        count: number of all molecules.
        otherwise: the constant.
    """
    done = np.full((count, *found.shape[1:]), otherwise, dtype=found.dtype if otherwise == 0 else np.float64)
    done[places] = found
    return done
