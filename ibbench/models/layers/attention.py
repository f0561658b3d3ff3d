"""Layers of attention over atoms; the models that are built from them differ in what is added to the scores."""

import math
from abc import abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Readout, Residual
from ibbench.models.registry import Model
from ibbench.options.model import AttentionOptions


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017) with an additive bias to the scores.

    The weights of a softmax add up to 1, so that an atom hears an average and cannot count the atoms that it hears.
    With `weighting=sigmoid`, each weight is independent of the others, and atoms can be counted (Ramapuram et al. 2024,
    arXiv:2409.04431, without their shift by the number of tokens, which would prevent that again).
    """

    def __init__(self, options: AttentionOptions) -> None:
        super().__init__()
        width, _ = options.sizes
        self.heads, self.weighting = options.heads, options.weighting
        inner = self.heads * max(1, round(width / self.heads))
        # No biases: one on the keys would cancel in the softmax, and Adam would amplify the noise in its zero gradient.
        self.query_key_value = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(self, h: Float[Tensor, "b n w"], bias: Float[Tensor, "b heads n n"]) -> Float[Tensor, "b n w"]:
        """Update the states of the atoms; `bias` is added to the scores before they become weights."""
        split = self.query_key_value(h).unflatten(-1, (3, self.heads, -1)).movedim(-2, -4)
        query, key, value = split.unbind(-2)
        if self.weighting == "sigmoid":
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
            return self.out((scores.sigmoid() @ value).movedim(-3, -2).flatten(-2))
        # The tiny matrices of a molecule gain nothing from fused kernels, and the fused CPU one has no gradient
        # with respect to the bias.
        with sdpa_kernel(SDPBackend.MATH):
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(mixed.movedim(-3, -2).flatten(-2))


class AttentionModel(Model):
    """Embedding, then attention and a feed-forward block (that of Deep Sets) in turn, then the readout."""

    def __init__(self, padding: Padding, options: AttentionOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(padding.num_features, options.sizes[0])
        self.attentions = nn.ModuleList(Residual(options, Attention(options)) for _ in range(options.depth))
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    @abstractmethod
    def score_bias(self, molecules: Molecules) -> Float[Tensor, "b heads n n"]:
        """Return what is added to the score of each pair of atoms, the hearing one first; -inf if they do not meet."""

    def states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the states of the atoms after the last layer."""
        return self.attend(self.embed(molecules.atoms), molecules.mask, self.score_bias(molecules))

    def attend(
        self, h: Float[Tensor, "b n w"], mask: Bool[Tensor, "b n"], bias: Float[Tensor, "b heads n n"]
    ) -> Float[Tensor, "b n w"]:
        """Apply all layers to the states of the atoms."""
        for attention, layer in zip(self.attentions, self.layers, strict=True):
            h = attention(h, mask, bias)
            h = layer(h, mask)
        return h
