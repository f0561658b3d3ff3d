"""Assumes permutation invariance: a molecule is a set of atoms."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import NUM_ATOM_FEATURES
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Readout, Residual
from ibbench.models.registry import Model, register
from ibbench.options.groups import ModelOptions


@register("deep_sets")
class DeepSets(Model):
    """Assumes permutation invariance: rho(sum_i phi(x_i)), the same phi for every atom, and no bonds.

    Zaheer et al. 2017 (arXiv:1703.06114). phi is the embedding and the residual layers.
    """

    symmetries = "permutation"
    connectivity = "none: each atom by itself"
    weights = "fixed, shared by atoms"

    @classmethod
    def reads(cls, options: Any) -> frozenset[str]:  # noqa: ARG003
        """Return what it reads of a molecule."""
        return frozenset({"atoms"})

    def __init__(self, num_atoms: int, options: ModelOptions) -> None:  # noqa: ARG002 (any number will do)
        super().__init__()
        self.embed = nn.Linear(NUM_ATOM_FEATURES, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Predict the normalised target of each molecule."""
        h = self.embed(molecules.atoms)
        for layer in self.layers:
            h = layer(h, molecules.mask)
        return self.readout(h, molecules.mask)
