"""Assumes permutation invariance only: all pairs of atoms meet, with weights computed from their content."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from ibbench.config import GraphTransformerOptions
from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES
from ibbench.data.molecules import Molecules
from ibbench.models.blocks import FeedForward, Readout, Residual
from ibbench.models.registry import Model, register


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017) with an additive bias to the scores."""

    def __init__(self, options: GraphTransformerOptions) -> None:
        super().__init__()
        width, _ = options.sizes
        self.heads = options.heads
        inner = self.heads * max(1, round(width / self.heads))
        # No biases: that of the keys cancels in the softmax, and Adam would amplify the noise in its zero gradient.
        self.query_key_value = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(self, h: Float[Tensor, "b n w"], bias: Float[Tensor, "b heads n n"]) -> Float[Tensor, "b n w"]:
        """Update the states of the atoms; `bias` is added to the scores before the softmax."""
        split = self.query_key_value(h).unflatten(-1, (3, self.heads, -1)).movedim(-2, -4)
        query, key, value = split.unbind(-2)
        # The tiny matrices of a molecule gain nothing from fused kernels, and the fused CPU one has no gradient
        # with respect to the bias.
        with sdpa_kernel(SDPBackend.MATH):
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(mixed.movedim(-3, -2).flatten(-2))


@register("graph_transformer")
class GraphTransformer(Model):
    """Assumes permutation invariance: every atom attends to every atom; bonds are a hint, not a wall.

    Dense attention whose scores get a learned bias for the bond type and for the number of bonds between two
    atoms, as in Graphormer (Ying et al. 2021, arXiv:2106.05234, sections 3.1.2 and 3.1.3).
    """

    symmetries = "permutation"
    connectivity = "all pairs of atoms"
    weights = "by content, biased by bond type and hops"

    def __init__(self, num_atoms: int, options: GraphTransformerOptions) -> None:  # noqa: ARG002 (any number will do)
        super().__init__()
        self.embed = nn.Linear(NUM_ATOM_FEATURES, options.sizes[0])
        self.hop_bias = nn.Parameter(torch.zeros(options.max_hops + 1, options.heads))
        self.bond_bias = nn.Parameter(torch.zeros(NUM_BOND_TYPES + 1, options.heads))
        self.attentions = nn.ModuleList(Residual(options, Attention(options)) for _ in range(options.depth))
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options)
        self.max_hops = options.max_hops

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Predict the normalised target of each molecule."""
        hops = hop_distances(molecules.bonds, self.max_hops)
        bias = self.hop_bias[hops] + self.bond_bias[molecules.bonds.long()]
        bias = bias.movedim(-1, -3).masked_fill(~molecules.mask[..., None, None, :], float("-inf"))
        h = self.embed(molecules.atoms)
        for attention, layer in zip(self.attentions, self.layers, strict=True):
            h = attention(h, molecules.mask, bias)
            h = layer(h, molecules.mask)
        return self.readout(h, molecules.mask)


def hop_distances(bonds: UInt8[Tensor, "b n n"], max_hops: int) -> Int64[Tensor, "b n n"]:
    """Count the bonds on the shortest path of each pair of atoms; `max_hops` also means "or more"."""
    adjacent = (bonds != 0).float()
    reached = torch.eye(bonds.shape[-1], device=bonds.device).expand(bonds.shape).clone()
    hops = 1 - reached
    for _ in range(max_hops - 1):
        reached = ((reached + reached @ adjacent) > 0).float()
        hops = hops + (1 - reached)
    return hops.long()
