"""The weights of attention, read from a model as it predicts."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ibbench.data.molecules import Molecules
from ibbench.models.layers.attention import Attention
from ibbench.models.registry import Model


@torch.no_grad()
def attention_weights(model: Model, molecules: Molecules) -> list[Tensor]:
    """Return the weights with which atoms attend to each other, `[B, heads, M, M]` for each layer with attention.

    The attending atom comes first. Rows are divided by their sum, so that they add up to 1 also for layers whose own
    weights do not (`weighting=sigmoid`). M is the number of atoms N, plus 1 if the model has a token.
    """
    found: list[Tensor] = []

    def note(layer: nn.Module, given: tuple[Tensor, Tensor]) -> None:
        assert isinstance(layer, Attention)
        h, bias = given
        query, key, _ = layer.query_key_value(h).unflatten(-1, (3, layer.heads, -1)).movedim(-2, -4).unbind(-2)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weights = scores.sigmoid() if layer.weighting == "sigmoid" else scores.softmax(-1)
        found.append(weights / weights.sum(-1, keepdim=True))

    with _hooked(model, note):
        model(molecules)
    return found


@contextlib.contextmanager
def _hooked(model: Model, note: object) -> Iterator[None]:
    handles = [layer.register_forward_pre_hook(note) for layer in model.modules() if isinstance(layer, Attention)]  # type: ignore[arg-type]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def relative_entropy(weights: Tensor, heard: Tensor) -> Tensor:
    """Return the entropy of each atom's attention, over the entropy of equal weights, `[B, heads, N]`.

    It is 1 if an atom attends to all others equally, and by convention also if it can attend to one atom only.

    Args:
        weights: attention weights, whose rows add up to 1, `[B, heads, N, N]`.
        heard: pairs of atoms of which the first can attend to the second, bool `[B, N, N]`.
    """
    entropy = -torch.special.xlogy(weights, weights).sum(-1)
    most = heard.sum(-1).clamp(min=1).log()[:, None]
    return torch.where(most > 0, entropy / most, 1.0)
