"""Molecules are packed in one way, wherever their features come from."""

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.pack import pack_smiles, resize
from ibbench.errors import InputError


@pytest.mark.parametrize("hydrogens", ["implicit", "explicit"])
def test_smiles_are_packed_as_the_data_set_is(hydrogens: str, qm9: DataSet, qm9_explicit: DataSet) -> None:
    dataset = qm9 if hydrogens == "implicit" else qm9_explicit
    index = torch.arange(1000, len(dataset), 1300)
    expected = dataset.molecules.select(index)
    found = pack_smiles([dataset.smiles[i] for i in index.tolist()], hydrogens)
    found = resize(found, expected.padding.num_atoms)
    length = found.padding.num_tokens
    for name in ("atoms", "bonds", "mask"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
    assert torch.equal(found.tokens, expected.tokens[:, :length])
    assert not expected.tokens[:, length:].any()
    assert torch.equal(found.positions.isnan().all(-1), expected.mask)  # unknown where there is an atom, else zero
    assert not found.positions[~expected.mask].any()


def test_resizing_back_and_forth_changes_nothing(qm9: DataSet) -> None:
    molecules = qm9.molecules.select(torch.arange(100))
    for one in (molecules, molecules.keep({"tokens"})):
        wide = resize(one, 12)
        assert wide.mask.shape == (100, 12)
        assert all(torch.equal(*pair) for pair in zip(resize(wide, 9), one, strict=True))


def test_smiles_that_cannot_be_parsed_are_named() -> None:
    with pytest.raises(InputError, match=r"^RDKit cannot parse as SMILES: `C1CC`, ``, `CCO ethanol` and 1 more$"):
        pack_smiles(["CCO", "C1CC", "", "CCO ethanol", "C\nC"], "implicit")
