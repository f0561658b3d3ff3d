"""Molecules as features by which a model can be differentiated: those of atoms, or an addition to token embeddings."""

from collections.abc import Callable

import torch
from torch import Tensor

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.models.graph_transformer import hop_distances
from ibbench.models.registry import Model, get_model
from ibbench.probes.subject.attention import attention_weights
from ibbench.probes.subject.subject import Subject

MOST = 5  # bonds or tokens; larger distances are counted together with this one
APART = "not connected"


class View:
    """Molecules as features of their parts (atoms, or tokens of the SMILES), with the distances between the parts.

    Args:
        subject: the model.
        index: indices of the B molecules in the data set, int64 `[B]`.

    Attributes:
        features: features of the atoms, `[B, P, V]`; for tokens zeros, which are added to the embedding of tokens.
        features_dealt: features after a random permutation among the parts of each molecule, `[B, P, V]`.
        mask: true where there is a part, bool `[B, P]`.
        distances: distances between parts, int64 `[B, P, P]`.
        apart: true for pairs of parts that no path of bonds connects, bool `[B, P, P]`.
        others: true for pairs of different parts that are there, bool `[B, P, P]`.
        unit: unit of the distances: `bonds` or `tokens`.
    """

    def __init__(self, subject: Subject, index: Tensor) -> None:
        options = subject.point.resolved.model
        of_tokens = "tokens" in get_model(options.name).reads_with(options)
        self._molecules, self._of_tokens = subject.inputs(index), of_tokens
        device = self._molecules.mask.device
        generator = torch.Generator().manual_seed(subject.seed)
        if of_tokens:
            self._molecules = _shorten(self._molecules)
            self.mask, self.unit = self._molecules.tokens != 0, "tokens"
            place = torch.arange(self.mask.shape[-1], device=device)
            self.distances = (place[:, None] - place).abs().expand(len(self.mask), -1, -1)
            self.apart = torch.zeros_like(self.distances, dtype=torch.bool)
            width, _ = options.sizes
            self.features = torch.zeros(*self.mask.shape, width, device=device)
        else:
            self.mask, self.unit = self._molecules.mask, "bonds"
            size = self.mask.shape[-1]
            self.distances = hop_distances(subject.point.dataset.molecules.bonds[index].to(device), size)
            self.apart = self.distances == size
            self.features = self._molecules.atoms
        order = random_order(self.mask, torch.rand(self.mask.shape, generator=generator).to(device))
        self._dealt = self._deal(order)
        self.features_dealt = self.features if of_tokens else self._dealt.atoms
        pairs = self.mask[..., None] & self.mask[..., None, :]
        self.others = pairs & ~torch.eye(self.mask.shape[-1], dtype=torch.bool, device=device)

    def _deal(self, order: Tensor) -> Molecules:
        if self._of_tokens:
            return self._molecules._replace(tokens=self._molecules.tokens.gather(-1, order))
        atoms = self._molecules.atoms
        return self._molecules._replace(atoms=atoms.gather(-2, order[..., None].expand(atoms.shape)))

    def bins(self) -> dict[str, Tensor]:
        """Return the pairs of parts at each distance, bool `[B, P, P]`, by the distance in words."""
        near = self.distances.clamp(max=MOST)
        found = {f"{count} {self.unit[:-1] if count == 1 else self.unit}": near == count for count in range(MOST)}
        found[f"{MOST} {self.unit} or more"] = near == MOST
        there = self.mask[..., None] & self.mask[..., None, :]
        found = {part: pairs & there & ~self.apart for part, pairs in found.items()}
        found[APART] = self.apart & there
        return {part: pairs for part, pairs in found.items() if pairs.any() or part != APART}

    def states(self, model: Model, dealt: bool = False) -> Callable[[Tensor], Tensor]:
        """Return the function from features `[B, P, V]` to the last states of the parts, `[B, P, W]`.

        Args:
            model: the network.
            dealt: whether the molecules are those with permuted features.
        """
        size = self.mask.shape[-1]
        return lambda features: self._run(model, features, dealt, model.states)[:, :size]

    def predictions(self, model: Model) -> Callable[[Tensor], Tensor]:
        """Return the function from features `[B, P, V]` to predictions `[B]`."""
        return lambda features: self._run(model, features, False, model)

    def attention(self, model: Model) -> list[Tensor]:
        """Return the attention weights among the parts, `[B, heads, P, P]` for each layer with attention."""
        size = self.mask.shape[-1]
        return [weights[..., :size, :size] for weights in attention_weights(model, self._molecules)]

    def _run(self, model: Model, features: Tensor, dealt: bool, run: Callable[[Molecules], Tensor]) -> Tensor:
        molecules = self._dealt if dealt else self._molecules
        if not self._of_tokens:
            return run(molecules._replace(atoms=features * self.mask[..., None]))
        handle = model.embed.register_forward_hook(lambda _layer, _given, states: states + features)  # type: ignore[union-attr]
        try:
            return run(molecules)
        finally:
            handle.remove()


def _shorten(molecules: Molecules) -> Molecules:
    """Leave out the padding that all molecules have behind their tokens."""
    return molecules._replace(tokens=molecules.tokens[:, : int((molecules.tokens != 0).sum(-1).max())])
