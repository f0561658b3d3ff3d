"""States of molecules: those of their parts, added up, after each layer."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.models.registry import Model
from ibbench.probes.subject.subject import Subject

EMBEDDING = "embedding"
_AT_ONCE = 512  # molecules that are run at a time


def name_of_layer(depth: int) -> str:
    """Return what the states after a number of layers are called in tables."""
    return f"layer {depth}" if depth else EMBEDDING


def mask_of_parts(model: Model, molecules: Molecules) -> Tensor | None:
    """Return which atoms, or tokens of the SMILES, are there; None for a model whose states are of molecules."""
    if not model.pools:
        return None
    return molecules.tokens != 0 if "tokens" in model.reads else molecules.mask


def pool(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum of the states of a molecule's parts, `[B, W]`.

    Args:
        states: of parts, `[B, N, W]`, maybe with further nodes behind them, such as a token; or of molecules `[B, W]`.
        mask: true where there is a part, see `mask_of_parts`.
    """
    return states if mask is None else (states[:, : mask.shape[1]] * mask[..., None]).sum(1)


@torch.no_grad()
def pooled_states(subject: Subject, index: Tensor, depth: int | None = None) -> Tensor:
    """Return the pooled states of molecules after a layer, float32 `[n, W]`.

    Args:
        subject: the model.
        index: the molecules.
        depth: the number of its layers to keep; None for all.
    """
    model = subject.module(depth)
    found = []
    for chunk in index.split(_AT_ONCE):
        molecules = subject.inputs(chunk)
        found.append(pool(model.states(molecules), mask_of_parts(model, molecules)))
    return torch.cat(found)
