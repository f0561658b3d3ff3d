"""The recipe that all models share, so that a comparison between them compares their biases only."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ibbench.options.model import ModelOptions

Mask = Bool[Tensor, "*b"] | None  # where there is an atom; None where states are those of molecules
ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,  # without a normalisation a model of any depth is then one linear map
}


class Identity(nn.Module):
    """No normalisation."""

    def forward(self, h: Float[Tensor, "*b w"], _mask: Mask) -> Float[Tensor, "*b w"]:
        """Return `h`."""
        return h


class LayerNorm(nn.Module):
    """Normalises the features of each atom by themselves (Ba et al. 2016, arXiv:1607.06450), so padding has no effect.

    It learns no scale and shift of its own: the linear map that follows it has both.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shape = (width,)

    def forward(self, h: Float[Tensor, "*b w"], _mask: Mask) -> Float[Tensor, "*b w"]:
        """Normalise over the last dimension."""
        return functional.layer_norm(h, self.shape)


class MaskedBatchNorm(nn.Module):
    """Normalises each feature over the batch (Ioffe & Szegedy 2015, arXiv:1502.03167), counting atoms only.

    Like `LayerNorm`, it leaves scale and shift to the linear map that follows. A batch of one molecule, as may be left
    at the end of an epoch, says nothing about the spread between molecules: it is normalised as in prediction, and the
    running statistics stay as they are.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.momentum, self.eps = momentum, eps

    def forward(self, h: Float[Tensor, "*b w"], mask: Mask) -> Float[Tensor, "*b w"]:
        """Normalise over all leading dimensions where `mask` is true (`None`: everywhere)."""
        if self.training and len(h) > 1:
            weight = torch.ones_like(h[..., :1]) if mask is None else mask[..., None].to(h.dtype)
            dims = tuple(range(h.dim() - 1))
            count = weight.sum().clamp(min=1)
            mean = (h * weight).sum(dims) / count
            var = ((h - mean).square() * weight).sum(dims) / count
            with torch.no_grad():
                unbiased = var * (count / (count - 1).clamp(min=1))
                self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
                self.running_var.mul_(1 - self.momentum).add_(unbiased, alpha=self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        return (h - mean) * (var + self.eps).rsqrt()


NORMALISATIONS = {"none": lambda _: Identity(), "layer": LayerNorm, "batch": MaskedBatchNorm}


class FeedForward(nn.Module):
    """Linear, activation, dropout, linear: applied to each row of `[..., W]` by itself."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Sequential(
            ACTIVATIONS[options.activation](), Dropout(options.dropout), nn.Linear(hidden, width)
        )

    def forward(self, h: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """Map each row by itself."""
        return self.outer(self.inner(h))


class Residual(nn.Module):
    """The pre-norm residual step h' = h + F(Norm(h)) (He et al. 2016, arXiv:1603.05027; Xiong et al. 2020).

    With `residual=false` it is h' = F(Norm(h)).
    """

    def __init__(self, options: ModelOptions, function: nn.Module) -> None:
        super().__init__()
        self.norm = NORMALISATIONS[options.normalisation](options.sizes[0])
        self.function = function
        self.residual = options.residual

    def forward(self, h: Float[Tensor, "*b w"], mask: Mask, *context: Tensor | None) -> Float[Tensor, "*b w"]:
        """Take one step; `context` goes to F as it is."""
        update = self.function(self.norm(h, mask), *context)
        return h + update if self.residual else update


class Readout(nn.Module):
    """The end of every model: the sum, mean or maximum over the states of atoms or tokens, and then the head rho.

    Only the sum can count atoms. rho is linear, activation, dropout, linear to one number: the outer function of Deep
    Sets (Zaheer et al. 2017, arXiv:1703.06114, theorem 2).

    With `options.output` of `atoms` there is a number for each atom: rho reads the state of the atom beside what is
    pooled, y_i = psi(x_i, sum over j of phi(x_j)). The number of an atom then moves with the atom when the atoms come
    in another order (Zaheer et al. 2017, lemma 3). From the state of a whole molecule rho predicts all N at once.

    Args:
        options: the recipe, with the width.
        num_atoms: N for a model whose states are those of whole molecules; None where they are those of atoms.
    """

    def __init__(self, options: ModelOptions, num_atoms: int | None = None) -> None:
        super().__init__()
        width, _ = options.sizes
        self.pooling, self.output = options.pooling, options.output
        self.norm = NORMALISATIONS[options.normalisation](width) if options.final_norm else None
        of_atoms = self.output == "atoms"
        self.reads_pooled = of_atoms and num_atoms is None
        self.rho = nn.Sequential(
            nn.Linear(2 * width if self.reads_pooled else width, width),
            ACTIVATIONS[options.activation](),
            Dropout(options.dropout),
            nn.Linear(width, num_atoms if of_atoms and num_atoms is not None else 1),
        )

    def forward(self, h: Float[Tensor, "b *n w"], mask: Bool[Tensor, "b *n"] | None) -> Float[Tensor, "b"]:
        """Map states to predictions.

        Args:
            h: states of atoms `[B, N, W]`, of tokens `[B, L, W]` or of molecules `[B, W]`.
            mask: true where there is an atom or a token; None for states of molecules.
        """
        if self.norm is not None:
            h = self.norm(h, mask)
        return self.rho(h if mask is None else self._pool(h, mask[..., None])).squeeze(-1)

    def of_atoms(
        self, h: Float[Tensor, "b *n w"], mask: Bool[Tensor, "b *n"] | None, atoms: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b n"]:
        """Map states to a prediction for each atom, 0 where there is no atom.

        Args:
            h: states of atoms, maybe with others behind them that are pooled, too; or of molecules `[B, W]`.
            mask: true for the states that are pooled; None for states of molecules.
            atoms: true where there is an atom.

        Raises:
            ValueError: states are those of molecules, and the readout was built without `num_atoms`.
        """
        if self.norm is not None:
            h = self.norm(h, mask)
        if mask is None:
            if self.reads_pooled:
                raise ValueError(
                    "a model without states of atoms predicts them with Readout(options, num_atoms=padding.num_atoms)"
                )
            return self.rho(h) * atoms
        own = h[..., : atoms.shape[-1], :]
        pooled = self._pool(h, mask[..., None])[..., None, :].expand(own.shape)
        return self.rho(torch.cat([own, pooled], dim=-1)).squeeze(-1) * atoms

    def _pool(self, h: Float[Tensor, "b n w"], mask: Bool[Tensor, "b n 1"]) -> Float[Tensor, "b w"]:
        if self.pooling == "max":
            return h.masked_fill(~mask, float("-inf")).amax(-2)
        total = (h * mask).sum(-2)
        return total / mask.sum(-2).clamp(min=1) if self.pooling == "mean" else total


class Dropout(nn.Module):
    """Dropout whose mask is a function of the replica's key, the layer and the element, not of a global state.

    So a replica drops the same elements whether it trains alone or packed with others, is resumed or not, and on every
    device; torch's generators cannot promise that. The training loop sets `key` before each step. It sets `threshold`
    once, if replicas have probabilities of their own; `probability` is then the largest of these.
    """

    key: Tensor
    threshold: Tensor  # an element is dropped if its 32 random bits, as a number, are below this

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.salt = 0  # `number_dropouts` gives each layer of a model its own
        if probability:
            self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)
            self.register_buffer("threshold", torch.tensor(int(probability * 2**32)), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        """Zero each element of `h` with the layer's probability and scale up the rest, while training."""
        if not self.training or not self.probability:
            return h
        keep = random_bits(h, self.key, self.salt) >= self.threshold
        return h * keep / (1 - self.threshold.to(h.dtype) / 2**32)


def random_bits(h: Tensor, key: Tensor, salt: int = 0) -> Tensor:
    """Return 32 random bits, as a number, for each element of `h`: a function of key, salt and place of the element."""
    count = torch.arange(h.numel(), device=h.device).reshape(h.shape)
    return _mix(count + _mix(key + salt * 0x9E3779B9))


def _mix(x: Tensor) -> Tensor:
    """Mix 32 bits so that neighbouring integers give unrelated ones (the finaliser `lowbias32` of C. Wellons)."""
    mask = 0xFFFFFFFF
    x = x & mask
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & mask
    x = ((x ^ (x >> 15)) * 0x846CA68B) & mask
    return x ^ (x >> 16)


def number_dropouts(model: nn.Module) -> None:
    """Give every dropout layer of `model` a salt of its own."""
    for salt, layer in enumerate(module for module in model.modules() if isinstance(module, Dropout)):
        layer.salt = salt + 1


_TIMES_HE = {"small": 0.1, "he": 1.0, "large": 10.0}


def initialise(model: nn.Module, initialisation: str) -> None:
    """Draw the weights of all linear layers anew, from torch's global generator.

    `default` keeps torch's own; `he` is He et al. 2015 (arXiv:1502.01852, normal, fan-in), `xavier` is
    Glorot & Bengio 2010 (uniform); `small` and `large` are `he` with a tenth and with ten times its standard deviation,
    to show what goes wrong then. All but `default` start biases at zero.
    """
    if initialisation == "default":
        return
    for module in model.modules():
        if isinstance(module, nn.Linear):
            if initialisation == "xavier":
                nn.init.xavier_uniform_(module.weight)
            else:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                with torch.no_grad():
                    module.weight.mul_(_TIMES_HE[initialisation])
            if module.bias is not None:
                nn.init.zeros_(module.bias)
