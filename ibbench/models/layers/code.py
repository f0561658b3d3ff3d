"""What autoencoders share: inputs that are spoiled while training, and the way back from a code."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibbench.models.layers.blocks import FeedForward, Residual, random_bits
from ibbench.options.model import AutoencoderOptions


class Corruption(nn.Module):
    """Sets each entry of the input to 0 with a probability, while training only.

    A denoising autoencoder has to restore the entries from the others (Vincent et al. 2008,
    doi:10.1145/1390156.1390294, section 2.3, masking noise). Which entries are hidden is a function of the replica's
    key and of the entry, as in `Dropout`; unlike there, the other entries keep their size, so that predictions, which
    are of clean inputs, see what training saw.
    """

    key: Tensor

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        if probability:
            self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Hide entries of `x` while training."""
        if not self.training or not self.probability:
            return x
        # Dropouts have salts from 1 on, so that 0 is free.
        return x * (random_bits(x, self.key) >= int(self.probability * 2**32))


class Decoder(nn.Module):
    """From a code to a flat output: linear to the width, the residual layers of the recipe, linear to the output."""

    def __init__(self, options: AutoencoderOptions, num_outputs: int) -> None:
        super().__init__()
        width, _ = options.sizes
        self.embed = nn.Linear(options.latent, width)
        self.layers = nn.ModuleList(Residual(options, FeedForward(options)) for _ in range(options.depth))
        self.out = nn.Linear(width, num_outputs)

    def forward(self, code: Float[Tensor, "b d"]) -> Float[Tensor, "b v"]:
        """Map codes `[B, d]` to outputs `[B, V]`."""
        h = self.embed(code)
        for layer in self.layers:
            h = layer(h, None)
        return self.out(h)
