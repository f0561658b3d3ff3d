"""Assumes nothing: all inputs meet all inputs, through weights fixed after training."""

from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Readout, Residual
from ibbench.models.layers.flat import flat_size, flatten
from ibbench.models.registry import Model, register
from ibbench.options.model import ModelOptions


@register("mlp")
class Mlp(Model):
    """Assumes nothing: atoms and bonds are one long vector, in the order given.

    The vector is the features of N atoms and the one-hot bond types of the N (N - 1) / 2 pairs. Which atom is called
    the first is part of the input, so the model has to learn from data that it does not matter.
    """

    symmetries = frozenset()
    connectivity = "all inputs"
    weights = "fixed"
    reads = frozenset({"atoms", "bonds"})
    any_size = False
    pools = False

    def __init__(self, padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(flat_size(padding), options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.readout = Readout(options, num_atoms=padding.num_atoms)

    def states(self, molecules: Molecules) -> Float[Tensor, "b w"]:
        """Return the states of the molecules after the last layer."""
        h = self.embed(flatten(molecules))
        for layer in self.layers:
            h = layer(h, None)
        return h

    def mask_of(self, _molecules: Molecules) -> None:
        """Return None: the states are those of molecules."""
