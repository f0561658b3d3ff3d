"""Molecules from outside of a data set: organic molecules with measured melting points that the data set has not."""

import functools

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.molecules import Molecules
from ibbench.data.pack import resize
from ibbench.terminal import mention

SOURCE = "melting_point"


@functools.lru_cache(maxsize=1)
def outside_molecules(dataset: DataSet) -> Molecules:
    """Return molecules that the data set has not, with its features, and padded as it is.

    They are those of `data=melting_point` that have no more atoms than the largest of the data set. Stereochemistry
    does not make a molecule another one here, and each molecule is returned once.

    Raises:
        InputError: the package that has these molecules is not installed.
    """
    assert dataset.options is not None  # data sets of a config have their options
    size = dataset.molecules.padding.num_atoms
    options = {"source": SOURCE, "features": dataset.layout, "max_atoms": size, "strict": False, "target_columns": None}
    outside = load_dataset(dataset.options.model_copy(update=options), mention)
    keys, own = _kinds(outside.molecules), _kinds(dataset.molecules)
    alike = torch.isin(own, keys).nonzero().flatten().tolist()  # a few, of which a SMILES is written
    known = {_without_stereo(dataset.smiles[place]) for place in alike}
    kept = []
    for place, text in enumerate(outside.smiles):
        if (spelled := _without_stereo(text)) not in known:
            known.add(spelled)
            kept.append(place)
    return resize(outside.molecules.select(torch.tensor(kept, dtype=torch.int64)), size)


def _kinds(molecules: Molecules) -> Tensor:
    """Return a number for each molecule, int64 `[M]`, equal for molecules with the same sums of features and bonds."""
    atoms = molecules.atoms.long().sum(1)
    bonds = torch.stack([(molecules.bonds == code).flatten(1).sum(1) for code in range(1, 5)], dim=1)
    counts = torch.cat([atoms, bonds], dim=1)
    weights = torch.randint(2**40, (counts.shape[1],), generator=torch.Generator().manual_seed(0))
    return (counts * weights).sum(1)


def _without_stereo(smiles: str) -> str:
    from rdkit import Chem

    graph = Chem.MolFromSmiles(smiles)
    return smiles if graph is None else str(Chem.MolToSmiles(graph, isomericSmiles=False))
