"""Assumes that a molecule, as one long vector, can be told by a few numbers; needs no label."""

from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.models.layers.blocks import FeedForward, Residual
from ibbench.models.layers.code import Corruption, Decoder
from ibbench.models.layers.flat import flat_size, flatten
from ibbench.models.registry import Model, register
from ibbench.options.model import AutoencoderOptions


@register("autoencoder")
class Autoencoder(Model):
    """Assumes that the flat molecule, the input of the `mlp`, can be restored from a code of `latent` numbers.

    An encoder f makes the code, a decoder g the molecule, and both learn to make |x - g(f(x))|^2 small (Rumelhart,
    Hinton & Williams 1986; Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647). That squared distance is what
    the model predicts of a molecule, and the target `molecule` is 0 for all of them: so the MAE of a row is its mean
    reconstruction error. The states are the codes.

    With `model.activation=identity model.normalisation=none` both are linear: the best that they can do is what
    principal component analysis does (Baldi & Hornik 1989, doi:10.1016/0893-6080(89)90014-2).
    """

    symmetries = frozenset()
    connectivity = "all inputs, through a few numbers"
    weights = "fixed"
    reads = frozenset({"atoms", "bonds"})
    any_size = False
    pools = False
    reconstructs = "molecule"

    def __init__(self, padding: Padding, options: AutoencoderOptions) -> None:
        super().__init__()
        width, _ = options.sizes
        self.corruption = Corruption(options.corruption)
        self.embed = nn.Linear(flat_size(padding), width)
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.code = nn.Linear(width, options.latent)
        self.decoder = Decoder(options, flat_size(padding))

    def states(self, molecules: Molecules) -> Float[Tensor, "b d"]:
        """Return the codes of the molecules."""
        h = self.embed(self.corruption(flatten(molecules)))
        for layer in self.layers:
            h = layer(h, None)
        return self.code(h)

    def mask_of(self, _molecules: Molecules) -> None:
        """Return None: the states are those of molecules."""

    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Return the squared distance between each molecule and its reconstruction."""
        return (flatten(molecules) - self.decoder(self.states(molecules))).square().sum(-1)
