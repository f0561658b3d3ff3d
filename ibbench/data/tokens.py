"""SMILES as sequences of tokens, for models that assume an order rather than a graph."""

import numpy as np
from numpy.typing import NDArray

# The characters of OpenSMILES; `Cl` and `Br` are one token each. Codes count from 1, and 0 is padding.
TOKENS = (*"BCNOPSFIbcnops", "Cl", "Br", *"H[]()=#$:/\\.-+@%0123456789", "other")
NUM_TOKENS = len(TOKENS)
_BLOCK = 2**16  # SMILES whose letters are looked at together, at 12 bytes each


def tokenize(smiles: list[str]) -> NDArray[np.uint8]:
    """Return the codes of the tokens of each of M SMILES, uint8 `[M, L]`, padded with 0 to the longest.

    A letter that is no token of its own, such as those of elements in brackets, becomes `other`.
    """
    blocks = [_tokenize(smiles[start : start + _BLOCK]) for start in range(0, max(1, len(smiles)), _BLOCK)]
    longest = max(block.shape[1] for block in blocks)
    return np.concatenate([np.pad(block, ((0, 0), (0, longest - block.shape[1]))) for block in blocks])


def _tokenize(smiles: list[str]) -> NDArray[np.uint8]:
    letters = np.frombuffer("".join(smiles).encode("ascii", "replace"), dtype=np.uint8)  # a byte for each character
    molecule = np.repeat(np.arange(len(smiles)), [len(text) for text in smiles])
    code_of = np.full(256, NUM_TOKENS, dtype=np.uint8)
    pairs = [token for token in TOKENS[:-1] if len(token) == 2]
    for code, token in enumerate(TOKENS[:-1], 1):
        if token not in pairs:
            code_of[ord(token)] = code
    codes, is_token = code_of[letters], np.ones(len(letters), dtype=bool)
    for first, second in pairs:
        together = (letters[:-1] == ord(first)) & (letters[1:] == ord(second)) & (molecule[:-1] == molecule[1:])
        codes[:-1][together] = 1 + TOKENS.index(first + second)
        is_token[1:][together] = False
    lengths = np.bincount(molecule[is_token], minlength=len(smiles))
    tokens = np.zeros((len(smiles), max(1, lengths.max(initial=0))), dtype=np.uint8)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = codes[is_token]
    return tokens
