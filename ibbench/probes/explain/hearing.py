"""The attention of a trained model: how much each atom attends to each other one, and how much each atom gets."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.probes.subject.attention import attention_weights
from ibbench.run.predict import Predictor
from ibbench.training.replicas import standardise


def attend(predictor: Predictor, molecules: Molecules, row: int) -> Tensor | None:
    """Return the attention weights of one replica.

    Args:
        predictor: the models of a run.
        molecules: molecules that these models can predict, `[m, ...]`.
        row: the row of the replica among the models of the run.

    Returns:
        The weight with which each atom attends to each other one, the attending atom first, float32
        `[m, layers, heads, M, M]` on the CPU; None if the model has no attention. M is the number of atoms N, plus 1 if
        the model has a token that attends to the atoms.
    """
    model, padded = predictor.models.alone(row), predictor.pad(molecules)
    buffers = {name: tensor[row] for name, tensor in predictor.models.buffers.items()}
    done = []
    for rows in torch.arange(len(padded.mask)).split(predictor.most_at_a_time(padded.padding)):
        layers = attention_weights(model, standardise(predictor.prepare(padded, rows), buffers))
        if not layers:
            return None
        done.append(torch.stack(layers, 1).cpu())
    return torch.cat(done)


def received(weights: Tensor, mask: Tensor) -> Tensor:
    """Return the share of attention that each atom gets, averaged over the nodes that attend to it.

    These nodes are all atoms of the molecule, and the token if there is one. The shares of a molecule's atoms add up to
    1, minus the share of the token.

    Args:
        weights: attention weights, the attending node first, `[m, layers, heads, M, M]`.
        mask: true where there is an atom, `[m, N]`.

    Returns:
        Shares `[m, layers, heads, N]`; NaN where there is no atom.
    """
    size = mask.shape[-1]
    hears = torch.nn.functional.pad(mask, (0, weights.shape[-1] - size), value=True)[:, None, None, :, None]
    shares = (weights * hears).sum(-2) / hears.sum(-2)
    return shares[..., :size].masked_fill(~mask[:, None, None], torch.nan)
