"""Assumes permutation invariance and locality: an atom attends to its bonded neighbours, by their content."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.attention import AttentionModel
from ibbench.models.registry import register
from ibbench.options.model import AttentionOptions


@register("gat")
class Gat(AttentionModel):
    """Assumes permutation invariance and locality, with weights computed from the content of the two ends.

    Graph attention (Velickovic et al. 2018, arXiv:1710.10903, equations 1 to 6) with the scaled dot product as
    f in alpha_uv = softmax over v's neighbours u, and v itself, of f(h_u, h_v). It is the graph transformer with
    attention between bonded atoms only, or `gnn` with weights in its sum that depend on the content. The type of a bond
    adds a bias to the score f.
    """

    symmetries = frozenset({"permutation"})
    connectivity = "bonded neighbours"
    weights = "by content, biased by bond type"
    reads = frozenset({"atoms", "bonds"})

    def __init__(self, padding: Padding, options: AttentionOptions) -> None:
        super().__init__(padding, options)
        self.bond_bias = nn.Parameter(torch.zeros(NUM_BOND_TYPES + 1, options.heads))  # 0: the atom itself

    def score_bias(self, molecules: Molecules) -> Float[Tensor, "b heads n n"]:
        """Return the bias by bond type, and -inf for pairs without a bond: an atom hears its neighbours and itself."""
        bonds = molecules.bonds
        heard = (bonds != 0) | torch.eye(bonds.shape[-1], dtype=torch.bool, device=bonds.device)
        return self.bond_bias[bonds.long()].movedim(-1, -3).masked_fill(~heard[..., None, :, :], float("-inf"))
