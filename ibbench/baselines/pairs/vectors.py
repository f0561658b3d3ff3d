"""The vectors of the molecules of a data set: computed once, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from ibbench.baselines.representations import Shown, get_representation
from ibbench.data.cache import CacheError, cache_folder, read_cache, write_cache
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.errors import InputError

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet

_BLOCK = 500  # molecules that a process computes at a time


class Vectors:
    """The vectors of a data set by one representation. Only those of molecules that are asked for are computed.

    Args:
        dataset: the molecules.
        name: the name of the representation.

    Attributes:
        representation: the representation, which fits all molecules of the data set.
    """

    def __init__(self, dataset: DataSet, name: str) -> None:
        self._dataset, self._name = dataset, name
        kind = get_representation(name)
        self.representation = kind(kind.measure(dataset))
        self._place = np.full(len(dataset), -1)  # of each molecule in `_known`; -1 where it is not computed
        self._known: NDArray[Any] = np.empty((0, 0))

    def at(self, index: NDArray[np.int64]) -> NDArray[Any]:
        """Return the vectors of the molecules at `index`, `[n, p]`."""
        self.prepare(index)
        return self._known[self._place[index]]

    def prepare(self, index: NDArray[np.int64]) -> None:
        """Compute the vectors of those molecules at `index` that are neither here nor in the cache.

        Raises:
            InputError: RDKit is needed and not installed, the source has no coordinates, or the disk is full.
        """
        if len(self._known) and (self._place[index] >= 0).all():
            return
        self._read()
        missing = np.unique(index[self._place[index] < 0])
        if len(missing) or not self._known.size:
            try:
                made = self._compute(missing)
            except ImportError as error:
                raise InputError(
                    f"'baselines=[{self._name}+…]' needs a package: {error.name} is not installed"
                ) from None
            self._keep(np.concatenate([self._indices(), missing]), np.concatenate([self._known, made])
                       if len(self._known) else made)  # fmt: skip
            write_cache(self._path(), {"index": self._indices(), "vectors": self._known}, self.facts())

    def _indices(self) -> NDArray[np.int64]:
        """Return the molecules whose vectors are known, in the order of `_known`."""
        found = np.flatnonzero(self._place >= 0)
        return found[np.argsort(self._place[found])]

    def _keep(self, index: NDArray[np.int64], vectors: NDArray[Any]) -> None:
        self._place[:] = -1
        self._place[index], self._known = np.arange(len(index)), vectors

    def _read(self) -> None:
        try:
            arrays, _ = read_cache(self._path(), self.facts())
        except (FileNotFoundError, CacheError):
            return
        self._keep(arrays["index"], arrays["vectors"])

    def _path(self) -> Any:
        digest = hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode()).hexdigest()[:16]
        return cache_folder() / "vectors" / f"{self._name}-{digest}.safetensors"

    def facts(self) -> dict[str, Any]:
        """Return all that the vectors follow from."""
        import importlib.metadata

        facts = {"name": self._name, "version": self.representation.version, "source": self._dataset.source}
        facts["molecules"] = len(self._dataset)
        if self.representation.reads == "smiles":
            facts["rdkit"] = importlib.metadata.version("rdkit")
        if self.representation.reads == "graph":
            facts |= self.representation.limits
        return facts

    def _compute(self, index: NDArray[np.int64]) -> NDArray[Any]:
        shown = _show(self._dataset, index, self.representation.reads)
        starts = range(0, max(1, len(index)), _BLOCK)
        parts = [shown.select(np.arange(len(index))[start : start + _BLOCK]) for start in starts]
        if self.representation.reads != "smiles" or len(parts) == 1:
            return np.concatenate([self.representation.compute(part) for part in parts])
        return np.concatenate(Parallel(n_jobs=-1)(delayed(self.representation.compute)(part) for part in parts))


def _show(dataset: DataSet, index: NDArray[np.int64], reads: str) -> Shown:
    import torch

    if reads == "smiles":
        return Shown([dataset.smiles[place] for place in index.tolist()])
    rows = torch.from_numpy(index)
    if reads == "graph":
        graphs = dataset.molecules.select(rows)
        return Shown([], atoms=graphs.atoms.numpy(), bonds=graphs.bonds.numpy())
    whole = _with_hydrogens(dataset)
    if whole is not dataset:  # the same molecules, but some may have been refused there for their size
        place_of = {number: place for place, number in enumerate(whole.ids.tolist())}
        rows = torch.tensor([place_of[number] for number in dataset.ids[rows].tolist()])
    molecules = whole.molecules.select(rows)
    return Shown([], molecules.atoms[..., ATOMIC_NUMBER].numpy(), molecules.positions.numpy())


def _with_hydrogens(dataset: DataSet) -> DataSet:
    """Return the data set in which hydrogens are atoms, with coordinates of their own."""
    if dataset.hydrogens == "explicit":
        return dataset
    from ibbench.data.dataset import load_dataset

    if dataset.options is None:
        raise InputError("this data set does not say where it comes from: expected data.hydrogens=explicit")
    return load_dataset(dataset.options.model_copy(update={"hydrogens": "explicit"}))
