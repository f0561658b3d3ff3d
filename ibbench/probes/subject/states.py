"""States of molecules after each layer: the sums of the states of their parts."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.models.registry import Model
from ibbench.probes.subject.subject import Subject

EMBEDDING = "embedding"
_AT_ONCE = 512  # molecules that are run at a time


def name_of_layer(depth: int) -> str:
    """Return the name, in tables, of the states after a number of layers; 0 is the embedding."""
    return f"layer {depth}" if depth else EMBEDDING


def mask_of_parts(model: Model, molecules: Molecules) -> Tensor | None:
    """Return which atoms, or tokens of the SMILES, are there and no padding, bool `[B, N]`.

    None for a model that has one state per molecule.
    """
    if not model.pools:
        return None
    return molecules.tokens != 0 if "tokens" in model.reads else molecules.mask


def pool(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum of the states of a molecule's parts, `[B, W]`.

    Args:
        states: states of the parts, `[B, N, W]`, perhaps with further nodes behind them, such as a token; or states of
            molecules, `[B, W]`.
        mask: true where there is a part, `[B, N]`, see `mask_of_parts`; None for states of molecules.
    """
    return states if mask is None else (states[:, : mask.shape[1]] * mask[..., None]).sum(1)


@torch.no_grad()
def pooled_states(subject: Subject, index: Tensor, depth: int | None = None) -> Tensor:
    """Return the pooled states of molecules after a layer, float32 `[n, W]`.

    Args:
        subject: the model.
        index: indices of the molecules in the data set, int64 `[n]`.
        depth: the number of the model's layers to run; None for all.
    """
    model = subject.module(depth)
    found = []
    for chunk in index.split(_AT_ONCE):
        molecules = subject.inputs(chunk)
        found.append(pool(model.states(molecules), mask_of_parts(model, molecules)))
    return torch.cat(found)
