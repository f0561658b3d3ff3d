"""Assumes permutation invariance: a molecule is a set of atoms."""

from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Readout, Residual
from ibbench.models.registry import Model, register
from ibbench.options.model import ModelOptions


@register("deep_sets")
class DeepSets(Model):
    """Assumes permutation invariance: rho(sum_i phi(x_i)), the same phi for every atom, and no bonds.

    Zaheer et al. 2017 (arXiv:1703.06114). phi is the embedding and the residual layers.
    """

    symmetries = frozenset({"permutation"})
    connectivity = "none: each atom by itself"
    weights = "fixed, shared by atoms"
    reads = frozenset({"atoms"})

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(padding.num_features, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def states(self, molecules: Molecules) -> Float[Tensor, "b n w"]:
        """Return the states of the atoms after the last layer."""
        h = self.embed(molecules.atoms)
        for layer in self.layers:
            h = layer(h, molecules.mask)
        return h
