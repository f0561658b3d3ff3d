"""Assumes that permutation invariance nearly holds: Deep Sets, and beside it an MLP that is held small at first."""

from jaxtyping import Float
from torch import Tensor

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.deep_sets import DeepSets
from ibbench.models.mlp import Mlp
from ibbench.models.registry import register
from ibbench.options.model import ResidualPathwayOptions


@register("residual_pathway")
class ResidualPathway(DeepSets):
    """Assumes that permutation invariance nearly holds: the sum of a Deep Sets and of `free` times an MLP.

    A residual pathway prior (Finzi, Benton & Wilson 2021, arXiv:2112.01388), on functions instead of on single layers:
    before training, the standard deviation of the free branch is `free` times that of an MLP. So the symmetry is
    preferred, and can be given up where the labels say so. With `free` near 0 it is Deep Sets, and the larger it is the
    more it is an MLP.
    """

    symmetries = frozenset()
    connectivity = "none; and all inputs, in a second branch"
    weights = "fixed"
    reads = frozenset({"atoms", "bonds"})
    any_size = False

    def __init__(self, padding: Padding, options: ResidualPathwayOptions) -> None:
        super().__init__(padding, options)
        self.free_branch = Mlp(padding, options)
        self.free = options.free

    def forward(self, molecules: Molecules) -> Float[Tensor, "b *n"]:
        """Predict the normalised target of each molecule, or of each atom."""
        return super().forward(molecules) + self.free * self.free_branch(molecules)
