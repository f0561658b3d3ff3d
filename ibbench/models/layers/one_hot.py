"""One-hot codes of bonds and tokens; code 0, which stands for no bond and for padding, becomes all zeros."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from ibbench.data.layout import NUM_BOND_TYPES
from ibbench.data.tokens import NUM_TOKENS


def one_hot_bonds(bonds: UInt8[Tensor, "*b"], dtype: torch.dtype) -> Float[Tensor, "*b 4"]:
    """Map the codes of bond types to one-hot vectors; no bond becomes all zeros."""
    return functional.one_hot(bonds.long(), NUM_BOND_TYPES + 1)[..., 1:].to(dtype)


def one_hot_tokens(tokens: UInt8[Tensor, "*b"], dtype: torch.dtype) -> Float[Tensor, "*b t"]:
    """Map the codes of tokens to one-hot vectors; padding becomes all zeros."""
    return functional.one_hot(tokens.long(), NUM_TOKENS + 1)[..., 1:].to(dtype)
