"""One-hot codes of bonds and tokens; code 0, which stands for no bond and for padding, becomes all zeros."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ibbench.data.layout import NUM_BOND_TYPES
from ibbench.data.tokens import NUM_TOKENS


def one_hot_bonds(bonds: UInt8[Tensor, "*b"], dtype: torch.dtype) -> Float[Tensor, "*b 4"]:
    """Map the codes of bond types to one-hot vectors; no bond becomes all zeros."""
    return _compare(bonds, NUM_BOND_TYPES).to(dtype)


def one_hot_tokens(tokens: UInt8[Tensor, "*b"], dtype: torch.dtype) -> Float[Tensor, "*b t"]:
    """Map the codes of tokens to one-hot vectors; padding becomes all zeros."""
    return _compare(tokens, NUM_TOKENS).to(dtype)


def _compare(codes: Tensor, largest: int) -> Tensor:
    """Return whether each code is 1, 2, ..., `largest`; unlike torch's `one_hot` this can be traced, to be compiled."""
    return codes[..., None] == torch.arange(1, largest + 1, dtype=codes.dtype, device=codes.device)
