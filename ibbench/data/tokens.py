"""SMILES as sequences of tokens, for models that assume an order rather than a graph."""

import numpy as np
from numpy.typing import NDArray

# OpenSMILES' characters, with the two-letter elements of its organic subset as one; code 1 and up, 0 is padding.
TOKENS = (*"BCNOPSFIbcnops", "Cl", "Br", *"H[]()=#$:/\\.-+@%0123456789", "other")
NUM_TOKENS = len(TOKENS)
_STAND_INS = {"Cl": "\x01", "Br": "\x02"}


def tokenize(smiles: list[str]) -> NDArray[np.uint8]:
    """Return the codes of the tokens of each SMILES, `[M, L]`, padded with 0 to the longest.

    A letter that is no token of its own, such as those of elements in brackets, becomes `other`.
    """
    text = "\n".join(smiles)
    for token, letter in _STAND_INS.items():
        text = text.replace(token, letter)
    code_of = np.full(256, NUM_TOKENS, dtype=np.uint8)
    for code, token in enumerate(TOKENS[:-1], 1):
        code_of[ord(_STAND_INS.get(token, token))] = code
    letters = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)
    line = np.cumsum(letters == ord("\n"))
    is_token = letters != ord("\n")
    lengths = np.bincount(line[is_token], minlength=len(smiles))
    tokens = np.zeros((len(smiles), max(1, lengths.max(initial=0))), dtype=np.uint8)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = code_of[letters[is_token]]
    return tokens
