"""The peers: the standard models as a user of PyTorch Geometric would put them together from that library's parts."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import MLP, DeepSetsAggregation, GINEConv, GPSConv, global_add_pool

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.options.model import GraphTransformerOptions, ModelOptions


class GinePeer(nn.Module):
    """The peer of `gnn`: a phi with a second input for the neighbours, whose messages `GINEConv` sums and maps."""

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.embed = nn.Linear(padding.num_features, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(options.depth))
        self.inner = nn.ModuleList(nn.Linear(width, hidden) for _ in range(options.depth))
        # eps = -1 takes the atom itself out of the sum: `inner` reads it.
        self.convs = nn.ModuleList(
            GINEConv(nn.Linear(width, hidden, bias=False), eps=-1.0, edge_dim=NUM_BOND_TYPES)
            for _ in range(options.depth)
        )
        self.outer = nn.ModuleList(nn.Sequential(nn.SiLU(), nn.Linear(hidden, width)) for _ in range(options.depth))
        self.head = MLP([width, width, 1], act="silu", norm=None)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor, size: int) -> Tensor:
        """Predict one value per molecule, `[B]`."""
        h = self.embed(x)
        for norm, inner, conv, outer in zip(self.norms, self.inner, self.convs, self.outer, strict=True):
            normed = norm(h)
            h = h + outer(inner(normed) + conv(normed, edge_index, edge_attr))
        return self.head(global_add_pool(h, batch, size)).squeeze(-1)


class GpsPeer(nn.Module):
    """The peer of `graph_transformer`: `GPSConv` with global attention alone."""

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        assert isinstance(options, GraphTransformerOptions)
        width, _ = options.sizes
        heads = math.gcd(width, options.heads)  # `GPSConv` needs a number of heads that divides the width
        self.embed = nn.Linear(padding.num_features, width)
        self.convs = nn.ModuleList(
            GPSConv(width, None, heads, act="silu", norm="layer_norm") for _ in range(options.depth)
        )
        self.head = MLP([width, width, 1], act="silu", norm=None)

    def forward(self, x: Tensor, edge_index: Tensor, _edge_attr: Tensor, batch: Tensor, size: int) -> Tensor:
        """Predict one value per molecule, `[B]`."""
        h = self.embed(x)
        for conv in self.convs:
            h = conv(h, edge_index, batch)
        return self.head(global_add_pool(h, batch, size)).squeeze(-1)


class DeepSetsPeer(nn.Module):
    """The peer of `deep_sets`: `DeepSetsAggregation` with an `MLP` inside and one outside of the sum."""

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        local = MLP([padding.num_features, width, *[hidden, width] * options.depth], act="silu", norm="layer_norm")
        self.aggregation = DeepSetsAggregation(local, MLP([width, width, 1], act="silu", norm=None))

    def forward(self, x: Tensor, _edge_index: Tensor, _edge_attr: Tensor, batch: Tensor, size: int) -> Tensor:
        """Predict one value per molecule, `[B]`."""
        return self.aggregation(x, batch, dim_size=size).squeeze(-1)


class MlpPeer(nn.Module):
    """The peer of `mlp`: an `MLP` on the flat vector of atoms and bonds that the loader carries with each molecule."""

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        n = padding.num_atoms
        num_inputs = n * padding.num_features + n * (n - 1) // 2 * NUM_BOND_TYPES
        sizes = [num_inputs, width, *[hidden, width] * options.depth, width, 1]
        self.layers = MLP(sizes, act="silu", norm="layer_norm")

    def forward(self, flat: Tensor) -> Tensor:
        """Predict one value per molecule, `[B]`."""
        return self.layers(flat).squeeze(-1)


PEERS: dict[str, Callable[[Padding, ModelOptions], nn.Module]] = {
    "mlp": MlpPeer,
    "deep_sets": DeepSetsPeer,
    "gnn": GinePeer,
    "graph_transformer": GpsPeer,
}


def unpack(batch: Data) -> tuple[Tensor | int, ...]:
    """Return the tensors of a batch that a peer's `forward` takes.

    It takes no `Data`, with which torch could not compile it in one piece.
    """
    if "flat" in batch:
        return (batch.flat,)
    return batch.x, batch.edge_index, batch.edge_attr, batch.batch, batch.num_graphs


def flatten_molecules(atoms: Tensor, bonds: Tensor) -> Tensor:
    """Return the input of the flat MLP, float32 `[M, inputs]`: all atom features, and the one-hot bond of each pair.

    Args:
        atoms: the features of the atoms, `[M, N, F]`.
        bonds: the bond types, `[M, N, N]`.
    """
    num_atoms = atoms.shape[1]
    upper = torch.triu_indices(num_atoms, num_atoms, offset=1)
    pairs = nn.functional.one_hot(bonds[:, upper[0], upper[1]].long(), NUM_BOND_TYPES + 1)[..., 1:]
    return torch.cat([atoms.float().flatten(1), pairs.float().flatten(1)], dim=1)
