"""Prediction by a pair of a run, such as `morgan+ridge`, which is fitted again from the run's folder."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.pairs import split_pair
from ibbench.baselines.pairs.kept import read_pair
from ibbench.baselines.representations import Shown, get_representation
from ibbench.data.layout import ATOMIC_NUMBER, FeatureLayout
from ibbench.record.folder import BASELINES
from ibbench.run.batch import Batch
from ibbench.training.replicas import Replica


class PairPredictor:
    """A pair that is fitted again to the train molecules of a run, and predicts new ones.

    Args:
        folder: the folder of the run.
        name: the pair.

    Attributes:
        replicas: target and seed of each of the R rows of a prediction.
        units: unit of each row.
        model: the name of the pair.
        hydrogens: how the atoms of molecules are counted that are compared with those that it was fitted to, as the
            data of its run had them.
        layout: the features by which they are compared, see `LAYOUTS`.
        reads: `positions` for a pair that reads coordinates, else `smiles`.

    Raises:
        InputError: see `read_pair`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        kept = read_pair(folder / BASELINES, name)
        self.replicas = [Replica(part.target, part.seed) for part in kept.parts]
        self.units = [part.unit for part in kept.parts]
        self.model = name
        self.hydrogens: str = kept.limits.get("hydrogens", "implicit")
        self.layout: FeatureLayout = kept.limits.get("layout", "qm9")
        self._fits = kept.fits
        self._representation = get_representation(split_pair(name).representation)(kept.limits)
        self.reads = frozenset({"positions" if self._representation.reads == "geometry" else "smiles"})

    def predict(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Predict the molecules of a batch.

        Returns:
            Values, float64 `[R, M]` in the units of the rows, NaN where nothing is predicted; which molecules are too
            large for the vectors; and which lack coordinates that are needed; bool `[M]` each.
        """
        values = np.full((len(self.replicas), len(batch)), np.nan)
        large, nowhere = np.zeros((2, len(batch)), dtype=bool)
        if self._representation.reads == "smiles":
            places = batch.places
            shown = Shown(batch.spelled(places))
        elif self._representation.reads == "graph":
            graphs, places = batch.molecules(self.hydrogens, self.layout)
            large[np.setdiff1d(batch.places, places)] = True
            shown = Shown([], atoms=graphs.atoms.numpy(), bonds=graphs.bonds.numpy())
        else:
            molecules, places = batch.molecules("explicit", with_positions=True)
            positions = molecules.positions.numpy()
            has_place = ~np.isnan(positions).any((1, 2))
            large[np.setdiff1d(batch.places, places)] = True  # more atoms than the dense layout takes
            nowhere[places[~has_place]] = True
            numbers = molecules.atoms[..., ATOMIC_NUMBER].numpy()
            shown, places = Shown([], numbers[has_place], positions[has_place]), places[has_place]
        if len(places):
            fits = ~self._representation.find_too_large(shown)
            large[places[~fits]] = True
            if fits.any():
                vectors = self._representation.compute(shown.select(np.flatnonzero(fits)))
                for row, fitted in enumerate(self._fits):
                    values[row, places[fits]] = fitted.predict(vectors)
        return values, large, nowhere
