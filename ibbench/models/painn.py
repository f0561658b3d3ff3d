"""Assumes invariance in space and keeps directions: an atom has numbers, and vectors that rotate with the molecule."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import ACTIVATIONS, NORMALISATIONS, Dropout, Readout
from ibbench.models.layers.distances import pair_distances, radial_basis, smooth_cutoff
from ibbench.models.registry import Model, register
from ibbench.options.model import SchNetOptions

_TINY = 1e-8  # added to the squared length of a vector before the root is taken


class VectorMessage(nn.Module):
    """Messages of PaiNN (Schuett et al. 2021, arXiv:2102.03150, equations 7 and 8).

    From every other atom, an atom hears three things: a number, a share of that atom's vectors, and a vector along the
    line between the two. Each is multiplied by a filter of the distance.
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
        """Return what is added to the numbers and to the vectors of each atom.

        Args:
            s: the numbers of each atom, normalised.
            v: the vectors of each atom.
            radial: the distances of all pairs in Gaussians (see `radial_basis`), the hearing atom first.
            factor: the weight of each pair.
            direction: the unit vectors from the hearing atom to the atom heard.
        """
        filters = self.filter(radial) * factor[..., None]
        number, share, along = (self.phi(s)[..., None, :, :] * filters).chunk(3, dim=-1)
        vectors = torch.einsum("...uvw,...vdw->...udw", share, v) + torch.einsum(
            "...uvw,...uvd->...udw", along, direction
        )
        return number.sum(-2), vectors


class VectorUpdate(nn.Module):
    """Updates the numbers and vectors of each atom by themselves (equations 9 and 10 of the paper on PaiNN).

    Vectors act on numbers through lengths and scalar products alone, so that the numbers do not change in rotations.
    """

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
        """Return what is added to the numbers and to the vectors of each atom."""
        one, other = self.mix(v).chunk(2, dim=-1)
        length = (other.square().sum(-2) + _TINY).sqrt()  # the root alone has no gradient at 0, where vectors start
        of_vectors, of_product, of_numbers = self.gates(torch.cat([s, length], dim=-1)).chunk(3, dim=-1)
        return of_product * (one * other).sum(-2) + of_numbers, of_vectors[..., None, :] * one


@register("painn")
class Painn(Model):
    """Assumes permutation, rotation, translation and reflection invariance, and keeps directions inside.

    PaiNN (Schuett et al. 2021, arXiv:2102.03150): as `schnet`, atoms meet in space, but their states have vectors that
    rotate with the molecule, so that angles count. Unlike the paper's, this model has the pre-norm residual steps of
    the shared recipe, which normalise the numbers alone, and describes distances by the Gaussians and the cutoff of
    `schnet` instead of sines.
    """

    symmetries = frozenset({"permutation", "rotation", "translation", "reflection"})
    connectivity = "all pairs of atoms in space"
    weights = "fixed for each distance and direction"
    reads = frozenset({"atoms", "positions"})

    def __init__(self, padding: Padding, options: SchNetOptions) -> None:
        super().__init__()
        width = options.sizes[0]
        self.embed = nn.Linear(padding.num_features, width)
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
