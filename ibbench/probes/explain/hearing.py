"""How much of the attention of a model each atom gets."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.probes.subject.attention import attention_weights
from ibbench.run.predict import Predictor
from ibbench.training.replicas import standardise


def attend(predictor: Predictor, molecules: Molecules, row: int) -> Tensor | None:
    """Return the weights of attention of one replica.

    Args:
        predictor: the models of a run.
        molecules: `[m, ...]`, which they can predict.
        row: the replica.

    Returns:
        How much each atom hears of each, the hearer first, float32 `[m, layers, heads, M, M]` on the CPU; None where a
        model has no attention. M is N, and one more where a token hears the atoms.
    """
    model, padded = predictor.models.alone(row), predictor.pad(molecules)
    buffers = {name: tensor[row] for name, tensor in predictor.models.buffers.items()}
    done = []
    for rows in torch.arange(len(padded.mask)).split(predictor.most_at_a_time(padded)):
        layers = attention_weights(model, standardise(predictor.prepare(padded, rows), buffers))
        if not layers:
            return None
        done.append(torch.stack(layers, 1).cpu())
    return torch.cat(done)


def received(weights: Tensor, mask: Tensor) -> Tensor:
    """Return the share of attention that each atom gets, mean over those that hear.

    All atoms hear, and the token if there is one; the shares of a molecule add up to 1, less what the token gets.

    Args:
        weights: of attention, `[m, layers, heads, M, M]`.
        mask: true where there is an atom, `[m, N]`.

    Returns:
        Shares `[m, layers, heads, N]`; NaN where there is no atom.
    """
    size = mask.shape[-1]
    hears = torch.nn.functional.pad(mask, (0, weights.shape[-1] - size), value=True)[:, None, None, :, None]
    shares = (weights * hears).sum(-2) / hears.sum(-2)
    return shares[..., :size].masked_fill(~mask[:, None, None], torch.nan)
