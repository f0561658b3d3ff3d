"""Assumes an order: a SMILES is read from its first token to its last, through one state that remembers."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.data.tokens import NUM_TOKENS
from ibbench.models.layers.blocks import Dropout, Readout, Residual
from ibbench.models.layers.one_hot import one_hot_tokens
from ibbench.models.registry import Model, register
from ibbench.options.model import ModelOptions


class Recurrence(nn.Module):
    """A gated recurrent unit (Cho et al. 2014, arXiv:1406.1078, in the form of torch's `GRU`), then a linear map.

    The gates have their own activations; `model.activation` is that of the readout only.
    """

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        width, hidden = options.sizes
        self.inner = nn.Linear(width, 3 * hidden)  # reset gate, update gate, candidate
        self.recur = nn.Linear(hidden, 3 * hidden)
        self.outer = nn.Sequential(Dropout(options.dropout), nn.Linear(hidden, width))

    def forward(self, h: Float[Tensor, "b l w"]) -> Float[Tensor, "b l w"]:
        """Read the tokens' states in their order."""
        return self.outer(self.remember(h))

    def remember(self, h: Float[Tensor, "b l w"]) -> Float[Tensor, "b l hidden"]:
        """Return the unit's memory after each token."""
        memory = h.new_zeros(*h.shape[:-2], self.recur.in_features)
        memories = []
        for heard in self.inner(h).unbind(-2):
            reset, update, candidate = heard.chunk(3, dim=-1)
            reset_of, update_of, candidate_of = self.recur(memory).chunk(3, dim=-1)
            kept = torch.sigmoid(update + update_of)
            new = torch.tanh(candidate + torch.sigmoid(reset + reset_of) * candidate_of)
            memory = new + kept * (memory - new)
            memories.append(memory)
        return torch.stack(memories, dim=-2)


@register("rnn")
class Rnn(Model):
    """Assumes an order: the state of a token is a function of what came before it in the SMILES."""

    symmetries = frozenset()
    connectivity = "tokens of the SMILES, each with all before it"
    weights = "fixed, shared by tokens"
    reads = frozenset({"tokens"})
    compiles = False

    def __init__(self, _padding: Padding, options: ModelOptions) -> None:
        super().__init__()
        self.embed = nn.Linear(NUM_TOKENS, options.sizes[0])
        self.layers = nn.ModuleList(Residual(options, Recurrence(options)) for _ in range(options.depth))
        self.readout = Readout(options)

    def states(self, molecules: Molecules) -> Float[Tensor, "b l w"]:
        """Return the states of the tokens after the last layer."""
        mask = self.mask_of(molecules)
        h = self.embed(one_hot_tokens(molecules.tokens, molecules.atoms.dtype))
        for layer in self.layers:
            h = layer(h, mask)
        return h

    def mask_of(self, molecules: Molecules) -> Bool[Tensor, "b l"]:
        """Return true where there is a token; padding has code 0."""
        return molecules.tokens != 0
