"""Assumes invariance in space, and carries directions: an atom has numbers, and vectors that rotate with it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import NUM_ATOM_FEATURES
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import ACTIVATIONS, NORMALISATIONS, Dropout, Readout
from ibbench.models.layers.distances import pair_distances, radial_basis, smooth_cutoff
from ibbench.models.registry import Model, register
from ibbench.options.model import SchNetOptions

_TINY = 1e-8  # squared length of a vector below which it has no direction


class VectorMessage(nn.Module):
    """Messages of PaiNN (Schuett et al. 2021, arXiv:2102.03150, equations 7 and 8).

    Each atom hears from all others a number, a share of their vectors, and a vector along the line between them, each
    times a filter of the distance.
    """

    def __init__(self, options: SchNetOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.phi = nn.Sequential(
            nn.Linear(width, hidden),
            ACTIVATIONS[options.activation](),
            Dropout(options.dropout),
            nn.Linear(hidden, 3 * width),
        )
        self.filter = nn.Linear(options.num_radial, 3 * width)

    def forward(
        self,
        s: Float[Tensor, "b n w"],
        v: Float[Tensor, "b n 3 w"],
        radial: Float[Tensor, "b n n r"],
        factor: Float[Tensor, "b n n"],
        direction: Float[Tensor, "b n n 3"],
    ) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b n 3 w"]]:
        """Return what is added to numbers and vectors.

        Args:
            s: numbers of each atom, normalised.
            v: vectors of each atom.
            radial: distances of all pairs, the hearer first.
            factor: the weight of each pair.
            direction: unit vectors from the hearer to the atom heard.
        """
        filters = self.filter(radial) * factor[..., None]
        number, share, along = (self.phi(s)[..., None, :, :] * filters).chunk(3, dim=-1)
        vectors = torch.einsum("...uvw,...vdw->...udw", share, v) + torch.einsum(
            "...uvw,...uvd->...udw", along, direction
        )
        return number.sum(-2), vectors


class VectorUpdate(nn.Module):
    """What an atom makes of its own numbers and vectors (equations 9 and 10): it mixes them by lengths and products."""

    def __init__(self, options: SchNetOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.mix = nn.Linear(width, 2 * width, bias=False)
        self.gates = nn.Sequential(
            nn.Linear(2 * width, hidden),
            ACTIVATIONS[options.activation](),
            Dropout(options.dropout),
            nn.Linear(hidden, 3 * width),
        )

    def forward(
        self, s: Float[Tensor, "b n w"], v: Float[Tensor, "b n 3 w"]
    ) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b n 3 w"]]:
        """Return what is added to numbers and vectors."""
        one, other = self.mix(v).chunk(2, dim=-1)
        length = (other.square().sum(-2) + _TINY).sqrt()  # the root alone has no gradient at 0, where vectors start
        of_vectors, of_product, of_numbers = self.gates(torch.cat([s, length], dim=-1)).chunk(3, dim=-1)
        return of_product * (one * other).sum(-2) + of_numbers, of_vectors[..., None, :] * one


@register("painn")
class Painn(Model):
    """Assumes permutation, rotation, translation and reflection invariance, and keeps directions inside.

    PaiNN (Schuett et al. 2021, arXiv:2102.03150): as `schnet`, atoms meet in space, but their states have vectors that
    rotate with the molecule, so that angles count. It has the pre-norm residual steps of the shared recipe, for the
    numbers alone, and its Gaussians and cutoff instead of the sines of the paper.
    """

    symmetries = frozenset({"permutation", "rotation", "translation", "reflection"})
    connectivity = "all pairs of atoms in space"
    weights = "fixed for each distance and direction"
    reads = frozenset({"atoms", "positions"})

    def __init__(self, _num_atoms: int, options: SchNetOptions) -> None:
        super().__init__()
        width = options.sizes[0]
        self.embed = nn.Linear(NUM_ATOM_FEATURES, width)
        self.messages = nn.ModuleList(VectorMessage(options) for _ in range(options.depth))
        self.updates = nn.ModuleList(VectorUpdate(options) for _ in range(options.depth))
        self.norms = nn.ModuleList(NORMALISATIONS[options.normalisation](width) for _ in range(2 * options.depth))
        self.readout = Readout(options)
        self.residual = options.residual
        self.num_radial, self.cutoff = options.num_radial, options.cutoff

    def states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the numbers of the atoms after the last layer."""
        return self.states_and_vectors(molecules)[0]

    def states_and_vectors(self, molecules: Molecules) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b n 3 w"]]:
        """Return the numbers of the atoms, and their vectors, which rotate with the molecule."""
        mask, positions = molecules.mask, molecules.positions
        s = self.embed(molecules.atoms)
        distances = pair_distances(positions)
        others = mask[..., None, :] & ~torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)
        radial = radial_basis(distances, self.num_radial, self.cutoff).to(s.dtype)
        factor = (smooth_cutoff(distances, self.cutoff) * others).to(s.dtype)
        apart = torch.where(distances > 0, distances, 1.0)[..., None]
        direction = ((positions[..., None, :, :] - positions[..., :, None, :]) / apart).to(s.dtype)
        v = s.new_zeros(*s.shape[:-1], 3, s.shape[-1])
        norms = iter(self.norms)
        for message, update in zip(self.messages, self.updates, strict=True):
            s, v = self._add(s, v, *message(next(norms)(s, mask), v, radial, factor, direction))
            s, v = self._add(s, v, *update(next(norms)(s, mask), v))
        return s, v

    def _add(self, s: Tensor, v: Tensor, more_s: Tensor, more_v: Tensor) -> tuple[Tensor, Tensor]:
        return (s + more_s, v + more_v) if self.residual else (more_s, more_v)
