"""Molecules: the dense, packed layout that every model reads."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from ibbench.data.layout import NUM_BOND_TYPES, Padding
from ibbench.errors import needs_extra

if TYPE_CHECKING:
    from torch_geometric.data import Data


class Molecules(NamedTuple):
    """A batch of molecules, each padded to the same number of atoms N and of tokens L.

    Bonds, positions and tokens may be absent (`[*batch, 0]`), for models that do not read them.

    Attributes:
        atoms: the F features of each atom, see `LAYOUTS`; zero where there is no atom. They are counts (uint8) in the
            data set, and standardised floats when a model receives them.
        bonds: bond type of each pair, symmetric: 0 none, 1 single, 2 double, 3 triple, 4 aromatic.
        mask: true where there is an atom.
        positions: coordinates in angstrom; zero where there is no atom, NaN where the source has none.
        tokens: codes of the tokens of the SMILES (see `ibbench.data.tokens`); 0 behind the last token.
    """

    atoms: Shaped[Tensor, "*batch n f"]
    bonds: UInt8[Tensor, "*batch n n"]
    mask: Bool[Tensor, "*batch n"]
    positions: Float[Tensor, "*batch n 3"]
    tokens: UInt8[Tensor, "*batch l"]

    @property
    def padding(self) -> Padding:
        """The numbers of atoms N and of tokens L that the molecules are padded to, and of features F of an atom."""
        return Padding(self.mask.shape[-1], self.tokens.shape[-1], self.atoms.shape[-1])

    def select(self, index: Tensor) -> Molecules:
        """Return the molecules at `index`, which may have any shape: `[R, B]` gives batches `[R, B, N, ...]`."""
        return Molecules(
            *(tensor[index] if tensor.numel() else tensor.new_empty(*index.shape, *tensor.shape[1:]) for tensor in self)
        )

    def keep(self, fields: Set[str]) -> Molecules:
        """Return the molecules with only those of bonds, positions and tokens that `fields` names; others are empty."""
        absent = {"bonds", "positions", "tokens"} - fields
        none = {name: getattr(self, name).new_empty(*self.mask.shape[:-1], 0) for name in absent}
        return self._replace(**none)

    def relabel(self, order: Tensor) -> Molecules:
        """Return the molecules with their atoms in another order.

        Args:
            order: the old place of the atom at each new place, int64 `[*batch, N]`, or `[N]` for all molecules alike.
        """
        order = order.expand(self.mask.shape)
        atoms, bonds, mask, positions, tokens = self
        rows = order[..., None]
        if bonds.numel():
            bonds = bonds.gather(-2, rows.expand(bonds.shape)).gather(-1, order[..., None, :].expand(bonds.shape))
        if positions.numel():
            positions = positions.gather(-2, rows.expand(positions.shape))
        return Molecules(atoms.gather(-2, rows.expand(atoms.shape)), bonds, mask.gather(-1, order), positions, tokens)

    def to(self, device: torch.device | str) -> Molecules:
        """Return the same molecules on `device`."""
        return Molecules(*(tensor.to(device) for tensor in self))

    def to_pyg(self) -> list[Data]:
        """Return the molecules as PyTorch Geometric graphs, without padding.

        Each has `x [n, F]` and `edge_attr [e, 4]` (float32; one-hot bond types, every bond in both
        directions), `edge_index [2, e]` and `pos [n, 3]` in angstrom.

        Raises:
            InputError: PyTorch Geometric is not installed.
        """
        try:
            from torch_geometric.data import Data
        except ModuleNotFoundError:
            raise needs_extra("PyTorch Geometric, whose graphs these are to become,", "pyg") from None

        graphs = []
        for atoms, bonds, mask, positions, _ in zip(*self, strict=True):
            n = int(mask.sum())
            edge_index = bonds[:n, :n].nonzero().T.contiguous()
            types = bonds[edge_index[0], edge_index[1]].long() - 1
            edge_attr = torch.nn.functional.one_hot(types, NUM_BOND_TYPES).float()
            graphs.append(Data(x=atoms[:n].float(), edge_index=edge_index, edge_attr=edge_attr, pos=positions[:n]))
        return graphs
