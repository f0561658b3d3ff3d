"""Assumes permutation invariance only: all pairs of atoms meet, with weights computed from their content."""

import torch
from jaxtyping import Bool, Float, Int64, Shaped, UInt8
from torch import Tensor, nn
from torch.nn import functional

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.attention import AttentionModel
from ibbench.models.registry import register
from ibbench.options.model import GraphTransformerOptions

_MOST_BONDS = 8  # an atom with more bonds gets the vector of one with 8


@register("graph_transformer")
class GraphTransformer(AttentionModel):
    """Assumes permutation invariance: every atom attends to every atom; bonds only bias the weights.

    Dense attention whose scores get a learned bias for the bond type and for the number of bonds between two
    atoms, as in Graphormer (Ying et al. 2021, arXiv:2106.05234, sections 3.1.2 and 3.1.3). With `max_hops=null` there
    is no such bias, and a molecule is a set of atoms that attend to each other. With `degrees` each atom's state starts
    with a vector for its number of bonds (section 3.1.1). With `random_walk` it starts with, and each pair's bias gets,
    a linear map of the probabilities of random walks, as in GRIT (Ma et al. 2023, arXiv:2305.17589, section 3.1). With
    `token` a further node, which meets all atoms, is read
    out instead of the sum over atoms (section 3.2).
    """

    symmetries = frozenset({"permutation"})
    connectivity = "all pairs of atoms"
    weights = "by content, biased by bond type and hops"
    reads = frozenset({"atoms", "bonds"})

    @classmethod
    def reads_with(cls, options: GraphTransformerOptions) -> frozenset[str]:
        """Return the fields that the model reads: no bonds if no option uses them."""
        uses_bonds = options.max_hops is not None or options.degrees or options.random_walk is not None
        return cls.reads if uses_bonds else cls.reads - {"bonds"}

    @classmethod
    def tell_pairs(cls, molecules: Molecules, options: GraphTransformerOptions) -> Shaped[Tensor, "b n n"]:
        """Return a code for each pair's bond type, hops and walks; without a bias, 1 for the bonds that are counted."""
        meet = molecules.mask[..., None] & molecules.mask[..., None, :]
        if options.max_hops is None:
            kinds = (molecules.bonds != 0).long()
        else:
            hops = hop_distances(molecules.bonds, options.max_hops)
            kinds = (1 + hops * (NUM_BOND_TYPES + 1) + molecules.bonds) * meet
        if options.random_walk is None:
            return kinds
        walks = walk_probabilities(molecules.bonds, options.random_walk, torch.float64)
        # Fractions such as 1/128 are far from a tie after this product, so that their codes do not depend on rounding.
        digits = (walks * 1234567.891).round().long()
        weights = torch.tensor([pow(1_000_003, power, 2**61) for power in range(1, options.random_walk + 1)])
        return (kinds + (digits * weights).sum(-1)) * meet

    def __init__(self, padding: Padding, options: GraphTransformerOptions) -> None:
        super().__init__(padding, options)
        self.heads, self.max_hops = options.heads, options.max_hops
        if self.max_hops is not None:
            self.hop_bias = nn.Parameter(torch.zeros(self.max_hops + 1, options.heads))
            self.bond_bias = nn.Parameter(torch.zeros(NUM_BOND_TYPES + 1, options.heads))
        width = options.sizes[0]
        self.degrees = nn.Parameter(torch.randn(_MOST_BONDS + 1, width)) if options.degrees else None
        self.random_walk = options.random_walk
        if self.random_walk is not None:
            self.walk_state = nn.Linear(self.random_walk, width)
            self.walk_bias = nn.Linear(self.random_walk, options.heads, bias=False)
        self.token = nn.Parameter(torch.randn(width)) if options.token else None
        if self.token is not None:
            self.token_bias = nn.Parameter(torch.zeros(options.heads))

    def states(self, molecules: Molecules) -> Float[Tensor, "b m w"]:
        """Return the states of the atoms, and behind them that of the token if there is one, after the last layer."""
        h, mask, bias = self.embed(molecules.atoms), molecules.mask, self.score_bias(molecules)
        if self.degrees is not None:
            h = h + self.degrees[(molecules.bonds != 0).sum(-1).clamp(max=_MOST_BONDS)]
        if self.random_walk is not None:
            walks = walk_probabilities(molecules.bonds, self.random_walk, h.dtype)
            h = h + self.walk_state(walks.diagonal(dim1=-3, dim2=-2).movedim(-1, -2))
            bias = bias + self.walk_bias(walks).movedim(-1, -3)
        if self.token is None:
            return self.attend(h, mask, bias)
        h = torch.cat([h, self.token.expand(*h.shape[:-2], 1, -1)], dim=-2)
        row = self.token_bias[:, None, None].expand(*bias.shape[:-2], 1, bias.shape[-1])
        row = row.masked_fill(~mask[..., None, None, :], float("-inf"))  # the token does not hear padding either
        column = self.token_bias[:, None, None].expand(*bias.shape[:-2], bias.shape[-1] + 1, 1)
        bias = torch.cat([torch.cat([bias, row], dim=-2), column], dim=-1)
        return self.attend(h, functional.pad(mask, (0, 1), value=True), bias)

    def mask_of(self, molecules: Molecules) -> Bool[Tensor, "b m"]:
        """Return which states are read out: those of the atoms, or that of the token alone."""
        mask = molecules.mask
        return mask if self.token is None else functional.pad(torch.zeros_like(mask), (0, 1), value=True)

    def score_bias(self, molecules: Molecules) -> Float[Tensor, "b heads n n"]:
        """Return the bias by bond type and hops, and -inf for padding, which no atom hears."""
        atoms, bonds, mask, *_ = molecules
        if self.max_hops is None:
            n = mask.shape[-1]
            bias = atoms.new_zeros(*mask.shape[:-1], self.heads, n, n)
        else:
            hops = hop_distances(bonds, self.max_hops)
            bias = (self.hop_bias[hops] + self.bond_bias[bonds.long()]).movedim(-1, -3)
        return bias.masked_fill(~mask[..., None, None, :], float("-inf"))


def walk_probabilities(bonds: UInt8[Tensor, "b n n"], steps: int, dtype: torch.dtype) -> Float[Tensor, "b n n k"]:
    """Return the probabilities that a walk from each atom is at each other one after 0 to `steps - 1` random steps.

    A step goes along one of the bonds of an atom, all equally likely; an atom without bonds is left for nowhere.
    """
    adjacent = (bonds != 0).to(dtype)
    step = adjacent / adjacent.sum(-1, keepdim=True).clamp(min=1)
    walks = [torch.eye(bonds.shape[-1], dtype=dtype, device=bonds.device).expand(bonds.shape), step]
    while len(walks) < steps:
        walks.append(walks[-1] @ step)
    return torch.stack(walks, dim=-1)


def hop_distances(bonds: UInt8[Tensor, "b n n"], max_hops: int) -> Int64[Tensor, "b n n"]:
    """Count the bonds on the shortest path between each pair of atoms; `max_hops` stands for more bonds and no path."""
    adjacent = (bonds != 0).float()
    reached = torch.eye(bonds.shape[-1], device=bonds.device).expand(bonds.shape).clone()
    hops = 1 - reached
    for _ in range(max_hops - 1):
        reached = ((reached + reached @ adjacent) > 0).float()
        hops = hops + (1 - reached)
    return hops.long()
