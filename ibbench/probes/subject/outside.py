"""Molecules from outside of a data set: organic molecules with measured melting points that the data set has not."""

import functools

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_smiles, resize

SOURCE = "melting_point"


@functools.lru_cache(maxsize=1)
def outside_molecules(dataset: DataSet) -> Molecules:
    """Return molecules that the data set has not, with its features, padded as it is and spelled as by `respell`.

    They are those of `data=melting_point` that have no more atoms than the largest of the data set. Stereochemistry
    does not make a molecule another one here, and each molecule is returned once.

    Raises:
        InputError: the package that has these molecules is not installed.
    """
    assert dataset.options is not None  # data sets of a config have their options
    size = dataset.molecules.padding.num_atoms
    options = {"source": SOURCE, "features": dataset.layout, "max_atoms": size, "strict": False, "target_columns": None}
    outside = load_dataset(dataset.options.model_copy(update=options), lambda _of_left_out_rows: None)
    keys, own = _kinds(outside.molecules), _kinds(dataset.molecules)
    alike = torch.isin(own, keys).nonzero().flatten().tolist()  # a few, of which a SMILES is written
    known = {_without_stereo(dataset.smiles[place]) for place in alike}
    kept = []
    for text in outside.smiles:
        if (spelled := _without_stereo(text)) not in known:
            known.add(spelled)
            kept.append(text)
    return respell(tuple(kept), dataset)


@functools.lru_cache(maxsize=2)  # all models of a study have the same test molecules
def respell(smiles: tuple[str, ...], dataset: DataSet) -> Molecules:
    """Return molecules with their atoms in the order of RDKit's canonical SMILES, with the features of a data set.

    A source has its own way to order atoms, by which alone a model that sees the order could tell its molecules.

    Args:
        smiles: the molecules, none of which has more atoms than the largest of the data set.
        dataset: the data set whose features and padding they get.
    """
    from rdkit import Chem

    spelled = [Chem.CanonSmiles(text) for text in smiles]
    size = dataset.molecules.padding.num_atoms
    return resize(pack_smiles(spelled, dataset.hydrogens, dataset.layout), size)


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
