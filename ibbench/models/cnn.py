"""Assumes translation equivariance and locality along a string: a SMILES is read through a sliding window."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.data.tokens import NUM_TOKENS
from ibbench.models.layers.blocks import FeedForward, Readout, Residual
from ibbench.models.layers.one_hot import one_hot_tokens
from ibbench.models.registry import Model, register
from ibbench.options.model import CnnOptions


class Convolution(nn.Module):
    """phi(h_t, sum over offsets k of W_k h_(t+k)): the GNN's layer on the chain of tokens, with weights by offset."""

    def __init__(self, options: CnnOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.phi = FeedForward(options)
        self.reach = options.kernel_size // 2
        # phi reads the token itself; a window of one token has no neighbours.
        self.neighbours = nn.Linear(2 * self.reach * width, hidden, bias=False) if self.reach else None

    def forward(self, h: Float[Tensor, "b l w"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b l w"]:
        """Update the states of the tokens; beyond the ends of the string there are zeros."""
        if self.neighbours is None:
            return self.phi(h)
        length = h.shape[-2]
        padded = functional.pad(h * mask[..., None], (0, 0, self.reach, self.reach))
        offsets = [offset for offset in range(2 * self.reach + 1) if offset != self.reach]
        near = torch.cat([padded[..., offset : offset + length, :] for offset in offsets], dim=-1)
        return self.phi.outer(self.phi.inner(h) + self.neighbours(near))


@register("cnn")
class Cnn(Model):
    """Assumes translation equivariance and locality along the SMILES: the same window slides over all tokens.

    Convolutional networks after LeCun et al. 1989 (Neural Comput. 1, 541), in one dimension, over the characters of
    the string instead of over the graph that it spells.
    """

    symmetries = frozenset({"translation along the string"})
    connectivity = "neighbouring tokens of the SMILES"
    weights = "fixed for each offset"
    reads = frozenset({"tokens"})

    def __init__(self, _padding: Padding, options: CnnOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(NUM_TOKENS, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, Convolution(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def states(self, molecules: Molecules) -> Float[Tensor, "b l w"]:
        """Return the states of the tokens after the last layer."""
        mask = self.mask_of(molecules)
        h = self.embed(one_hot_tokens(molecules.tokens, molecules.atoms.dtype))
        for layer in self.layers:
            h = layer(h, mask, mask)
        return h

    def mask_of(self, molecules: Molecules) -> Bool[Tensor, "b l"]:
        """Return true where there is a token; padding has code 0."""
        return molecules.tokens != 0
