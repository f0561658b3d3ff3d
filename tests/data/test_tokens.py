"""A SMILES is read token by token, and nothing of it is lost."""

import numpy as np
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.data.tokens import NUM_TOKENS, TOKENS, tokenize


def _spell(codes: np.ndarray) -> list[str]:
    """Return the text of each row of codes, one column after the other."""
    letters = np.array(["", *TOKENS], dtype=object)[codes]
    text = letters[:, 0]
    for column in letters.T[1:]:
        text = text + column
    return text.tolist()


def test_the_tokens_of_all_of_qm9_spell_its_smiles(qm9: DataSet) -> None:
    tokens = qm9.molecules.tokens
    assert len(tokens) == 130_831
    assert _spell(tokens.numpy()) == qm9.smiles
    assert not (tokens == NUM_TOKENS).any()  # no letter of it is `other`


def test_padding_is_behind_the_string_and_nowhere_else(qm9: DataSet) -> None:
    present = qm9.molecules.tokens != 0
    lengths = torch.tensor([len(text) for text in qm9.smiles])  # all elements of QM9 have one letter
    assert torch.equal(present, torch.arange(present.shape[1]) < lengths[:, None])
    assert present[:, -1].any()


def test_qm9_is_padded_as_the_listing_of_models_assumes(qm9: DataSet, qm9_explicit: DataSet) -> None:
    assert qm9.molecules.padding == QM9_PADDING["implicit"]
    assert qm9_explicit.molecules.padding == QM9_PADDING["explicit"]


def test_elements_of_two_letters_are_one_token() -> None:
    codes = tokenize(["ClCCBr", "BrCl", "C(Cl)=C"])
    names = [[TOKENS[code - 1] for code in row if code] for row in codes]
    assert names == [["Cl", "C", "C", "Br"], ["Br", "Cl"], ["C", "(", "Cl", ")", "=", "C"]]


def test_all_that_smiles_are_made_of_has_a_token() -> None:
    text = ["[13C@@H](F)(I)P", "c1ccc[nH]1", "F/C=C\\F", "[O-]S(=O)(=O)[O-]", "C%12CC%12", "[NH4+].[OH-]", "N#Cc1ccsc1"]
    codes = tokenize(text)
    assert _spell(codes) == text
    assert len(set(TOKENS)) == NUM_TOKENS < 256


def test_unknown_letters_are_other() -> None:
    silicon, umlaut = tokenize(["C[Si](C)C", "Cä"])
    assert [TOKENS[code - 1] for code in silicon[:5]] == ["C", "[", "S", "other", "]"]
    assert umlaut.tolist() == [*tokenize(["C"])[0].tolist(), NUM_TOKENS, *[0] * (len(umlaut) - 2)]


def test_long_lists_have_the_tokens_of_each_molecule() -> None:
    smiles = ["C"] * 2**16 + ["CCl"] * 3
    tokens = tokenize(smiles)
    assert tokens.shape == (len(smiles), 2)
    assert (tokens[: 2**16] == np.pad(tokenize(["C"]), ((0, 0), (0, 1)))).all()
    assert (tokens[2**16 :] == tokenize(["CCl"])).all()
