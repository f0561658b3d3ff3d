"""A batch of SMILES, read once for all models that predict it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.data.domain import Keys, key_molecules, read_charges
from ibbench.data.layout import LAYOUTS, MAX_ATOMS, NUM_HYDROGENS, FeatureLayout
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_features


class _Graphs(NamedTuple):
    """The molecules that can be given to a model, and their places in the batch, int64 `[m]`."""

    molecules: Molecules
    places: NDArray[np.int64]


class Batch:
    """M molecules, some of which may not be readable.

    Args:
        smiles: SMILES of the molecules, `M` of them.
        with_geometry: whether to compute coordinates for models that read them.

    Attributes:
        places: places of the molecules that can be read, int64 `[m]`.
        refused: reasons why the others cannot be read, by their places.
        charges: formal charges of the charged atoms, by the places of the molecules that have any.
        keys: key of each molecule, see `key_molecules`, `[M]`; where it cannot be read, the key of the empty text.
    """

    def __init__(self, smiles: Sequence[str], with_geometry: bool = False) -> None:
        from ibbench.data.featurize import read_smiles

        self._smiles, self._with_geometry = list(smiles), with_geometry
        # The columns of `qm9` are the first of `organic`: molecules are read once for models with either.
        reading = read_smiles(self._smiles, "implicit", jobs=1, layout="organic")
        self._features, self._canonical = reading.features, reading.canonical
        self.refused = reading.refused
        self.places = np.flatnonzero(reading.features.num_atoms)
        self.keys: Keys = key_molecules(self._canonical)
        charges = {place: read_charges(text) for place, text in enumerate(self._canonical)}
        self.charges = {place: found for place, found in charges.items() if found}
        self._known: dict[tuple[str, FeatureLayout, bool], _Graphs] = {}

    def __len__(self) -> int:
        return len(self._smiles)

    def spelled(self, places: NDArray[np.int64]) -> list[str]:
        """Return the canonical SMILES of the molecules at some places, all of which can be read."""
        return [self._canonical[place] for place in places.tolist()]

    def molecules(self, hydrogens: str, layout: FeatureLayout = "qm9", with_positions: bool = False) -> _Graphs:
        """Return the molecules that can be read and are not too large, and their places in the batch.

        Features are counts, not standardised.

        Args:
            hydrogens: `implicit` or `explicit`, see `featurize`.
            layout: the features, a name of `LAYOUTS`.
            with_positions: whether to add coordinates. Atoms are then in the order of the canonical SMILES, so that a
                molecule has the same geometry however its SMILES is written.
        """
        with_positions = with_positions and self._with_geometry
        known = self._known.get((hydrogens, layout, with_positions))
        if known is None:
            known = self._known[hydrogens, layout, with_positions] = self._build(hydrogens, layout, with_positions)
        return known

    def _build(self, hydrogens: str, layout: FeatureLayout, with_positions: bool) -> _Graphs:
        from ibbench.data.featurize import Features, add_hydrogens, read_smiles

        features, smiles = self._features, self._smiles
        if with_positions:
            smiles = self._canonical
            features = read_smiles(smiles, "implicit", jobs=1, layout="organic").features
        features = features._replace(atoms=features.atoms[..., : len(LAYOUTS[layout])])
        places = np.flatnonzero(features.num_atoms)
        chosen = Features(*(array[places] for array in features))
        if hydrogens == "explicit" and len(places):
            fits = chosen.num_atoms + chosen.atoms[..., NUM_HYDROGENS].sum(1) <= MAX_ATOMS
            places, chosen = places[fits], add_hydrogens(Features(*(array[fits] for array in chosen)))
        texts = [smiles[place] for place in places]
        positions = self._embed(places, hydrogens, chosen.atoms.shape[1]) if with_positions else None
        return _Graphs(pack_features(*chosen, texts, positions), places)

    def _embed(self, places: NDArray[np.int64], hydrogens: str, num_atoms: int) -> NDArray[np.float32]:
        from ibbench.data.conformer import embed

        return embed([self._canonical[place] for place in places], hydrogens, num_atoms)
