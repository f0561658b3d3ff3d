"""Labels of atoms: read from the source where a run has a target of atoms, and kept in a cache file of their own.

So the cache of the molecules stays as it is, and runs of other targets load nothing more.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ibbench.data.cache import CacheError, cache_folder, read_cache, write_cache
from ibbench.data.dataset import DataSet
from ibbench.data.identity import package_versions
from ibbench.data.sources import get_source, open_source
from ibbench.data.targets import Target

_FORMAT = 1  # raise it when the labels of atoms are found in another way


def find_atom_targets(dataset: DataSet, targets: Sequence[str]) -> tuple[str, ...]:
    """Return those of the names of targets that are of targets of atoms, once each."""
    known = get_source(dataset.options.source).atom_targets if dataset.options else {}
    return tuple(name for name in dict.fromkeys(targets) if name in known)


def add_atom_targets(dataset: DataSet, targets: Sequence[str], say: Callable[[str], object] = print) -> DataSet:
    """Return the data set with those targets that are of atoms; as it is if there are none among them.

    A molecule whose atoms the source lists in another order than its SMILES has no labels: which atom is which would
    be a guess.

    Args:
        dataset: the molecules, as `load_dataset` returns them.
        targets: names of targets, those of molecules among them.
        say: function that is given a line of text about molecules without labels.

    Raises:
        InputError: the source cannot be read.
        RuntimeError: the labels of the source are not what it says, a mistake in the code that reads them.
    """
    known = get_source(dataset.options.source).atom_targets if dataset.options else {}
    for target in (known[name] for name in dict.fromkeys(targets) if name in known):
        labels = torch.from_numpy(_load_labels(dataset, target))
        present = ~labels.isnan()
        # One number per molecule, NaN without labels. Rounded, so that it does not depend on the order of the atoms.
        sizes = (torch.where(present, labels.abs(), 0).sum(1) / present.sum(1)).round(decimals=9)
        if count := int(sizes.isnan().sum()):
            say(
                f"{target.name}: {count:,} of {len(dataset):,} molecules are left out, since the source lists their "
                "atoms in another order than their SMILES"
            )
        dataset = replace(
            dataset,
            values=torch.cat([dataset.values, sizes[:, None]], dim=1),
            targets=(*dataset.targets, target),
            arrays={**dataset.arrays, target.name: labels},
        )
    return dataset


def _load_labels(dataset: DataSet, target: Target) -> np.ndarray:
    digest = hashlib.sha256("\n".join(dataset.smiles).encode()).hexdigest()
    assert dataset.options is not None
    source = open_source(dataset.options)
    expected = {"labels": _FORMAT, "smiles": digest, **package_versions("rdkit", *source.packages)}
    name = f"{dataset.source.replace(':', '-')}-{dataset.hydrogens}-{target.name}.safetensors"
    path = cache_folder() / name
    try:
        return read_cache(path, expected)[0][target.name]
    except (FileNotFoundError, CacheError):
        from ibbench.data.positions import assign_values  # imports RDKit

        found = source.read_atoms(target.name, dataset.ids.numpy())
        atoms = dataset.molecules.atoms.numpy()
        labels = assign_values(atoms, found.geometry, found.values, dataset.hydrogens)
        write_cache(path, {target.name: labels}, expected)
        return labels
